"""Test-only double of `launch_ros`; see `launch`."""
