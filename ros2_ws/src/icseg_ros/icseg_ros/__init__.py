"""icseg on ROS 2: a lifecycle node around `icseg.session.session`, and what a robot needs to talk to it."""
