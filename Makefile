# Everything is installed into .venv, which `make setup` makes and keeps up to date.

PYTHON ?= python3
ARGS ?=

RUN := .venv/bin/python
EXTRAS := torch,openvino,onnx,optics,ray,train,ros-jazzy,test

# What speaks ROS 2; reading bags does not.
ROS_TESTS := test/emuformer_ros --ignore-glob='*bag*' --ignore-glob='*evaluat*'

# Two setuptools that colcon builds ament_python packages with: Python 3.12 needs the newer one.
COLCON := colcon-common-extensions==0.3.0 colcon-core==0.21.3 colcon-ros==0.5.0 \
	'setuptools==65.*; python_version < "3.12"' 'setuptools==68.*; python_version >= "3.12"'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-all test-kilted reproduce benchmark lint format lock clean clean-venv check-python

# A sourced ROS 2 installation must not mix with the ROS 2 wheels of .venv: neither its Python
# packages nor its libraries nor its choice of middleware.
comma := ,
empty :=
space := $(empty) $(empty)
ifneq ($(AMENT_PREFIX_PATH),)
ROS_LIBRARIES := $(addsuffix /%,$(subst :, ,$(AMENT_PREFIX_PATH)))
OTHER_LIBRARIES := $(filter-out $(ROS_LIBRARIES),$(subst :, ,$(LD_LIBRARY_PATH)))
export LD_LIBRARY_PATH := $(subst $(space),:,$(strip $(OTHER_LIBRARIES)))
endif
unexport AMENT_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH RMW_IMPLEMENTATION ROS_DISTRO

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: check-python .venv/.ready  ## install everything into .venv (PYTHON=python3.12 picks a Python)
	@$(if $(filter setup,$(MAKECMDGOALS)),echo 'make: .venv is ready',:)

demo: setup  ## drive -> ROS 2 node -> maps in demo_output (BAG= TOPIC= RATE= CHECKPOINT= OUTPUT=)
	@$(RUN) -m emuformer_ros.demo $(if $(BAG),--bag '$(BAG)') $(if $(TOPIC),--topic '$(TOPIC)') \
		$(if $(RATE),--rate '$(RATE)') $(if $(CHECKPOINT),--checkpoint '$(CHECKPOINT)') \
		--output '$(or $(OUTPUT),demo_output)'

test: setup .venv-colcon/.ready  ## run all tests but the slow ones (ARGS='-k camera_info' picks some)
	@$(RUN) -m pytest -m 'not slow' $(ARGS)

test-all: setup .venv-colcon/.ready  ## run the slow tests too
	@$(RUN) -m pytest $(ARGS)

test-kilted: setup .venv-kilted/.ready  ## run the ROS 2 tests against Kilted instead of Jazzy
	@.venv-kilted/bin/python -c "$$CHECK_KILTED"
	@.venv-kilted/bin/python -m pytest -m 'not slow' $(ROS_TESTS) $(ARGS)

reproduce: setup  ## the paper's tables on synthetic scenes, two to three hours (OUTPUT= JOBS=)
	@$(RUN) -m train.reproduce --data synthetic --backbone mit_b0 --jobs '$(or $(JOBS),2)' \
		--output '$(or $(OUTPUT),reproduction)' $(ARGS)

benchmark: setup  ## time the engines against the plain network (ARGS='--backbone mit_b0')
	@$(RUN) benchmarks/inference.py $(ARGS)

lint: setup  ## check style and format
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

format: setup  ## correct style and format
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

lock: setup  ## resolve the dependencies of setup.py anew into constraints.txt
	@$(RUN) -m pip install --quiet uv
	@$(RUN) -m uv pip compile setup.py --universal --python-version 3.10 --upgrade --quiet \
		--extra $(subst $(comma), --extra ,$(EXTRAS)) --no-annotate --no-config \
		--default-index https://pypi.org/simple --custom-compile-command 'make lock' \
		--output-file constraints.txt

clean:  ## remove caches, builds and the demo's output; trainings and environments stay
	rm -rf demo_output build install log dist *.egg-info .pytest_cache .hypothesis .ruff_cache
	@find . -path './.venv*' -prune -o -type d -name __pycache__ -exec rm -rf {} +

clean-venv:  ## remove .venv and the environments beside it
	rm -rf .venv .venv-kilted .venv-colcon

# --- environments

# $(call install,ENVIRONMENT,PIP ARGUMENTS): pip, showing only what takes time. The rest is logged.
define install
{ $(1)/bin/python -m pip install --disable-pip-version-check $(2) 2>&1 || echo 'pip failed'; } \
	| tee $(1)/setup.log | while IFS= read -r line; do \
	case $$line in \
	*' Downloading '*[0-9][0-9].[0-9]' MB)' | *' Using cached '*[0-9][0-9].[0-9]' MB)') \
		wheel=$${line#*ing }; wheel=$${wheel#*cached }; rest=$${wheel#*-}; \
		echo "  $${wheel%%-*} $${rest%%-*} ($${line##*\(}";; \
	'Installing collected packages:'*) \
		echo "  unpacking $$(echo "$${line#*:}" | tr ',' '\n' | wc -l | tr -d ' ') packages";; \
	'pip failed') \
		grep -E '^ *(ERROR|error):' $(1)/setup.log | tail -n 4 | cut -c 1-300 >&2; \
		echo "make: pip could not install the packages, see above and $(1)/setup.log:" \
			'check the network (and pip'"'"'s index or proxy settings) and the space on the disk,' \
			'then run the same again' >&2; \
		exit 1;; \
	esac; done
endef

# Without pip it is none, or one whose making was interrupted.
HAS_PIP := $(RUN) -m pip --version >/dev/null 2>&1

.venv/.ready: setup.py constraints.txt
	@$(HAS_PIP) || { echo 'make: creating .venv with $(PYTHON)'; $(PYTHON) -m venv --clear .venv; }
	@echo 'make: installing into .venv (at first 3 GB to download, 7 GB on disk, some minutes)'
	@$(call install,.venv,--constraint constraints.txt --editable '.[$(EXTRAS)]')
	@touch $@

# colcon needs an older setuptools than PyTorch does.
.venv-colcon/.ready: Makefile | .venv/.ready
	@echo 'make: installing colcon into .venv-colcon'
	@$(RUN) -m venv .venv-colcon
	@$(call install,.venv-colcon,$(COLCON))
	@touch $@

# Only the ROS 2 packages are installed here; all else is taken from .venv, which is searched later.
.venv-kilted/.ready: .venv/.ready
	@echo 'make: installing ROS 2 Kilted into .venv-kilted'
	@$(RUN) -m venv --clear .venv-kilted
	@grep -v '^ros-' constraints.txt > .venv-kilted/constraints.txt
	@$(RUN) -c "$$KILTED_REQUIREMENTS" > .venv-kilted/requirements.txt
	@$(call install,.venv-kilted,-c .venv-kilted/constraints.txt -r .venv-kilted/requirements.txt)
	@$(RUN) -c "$$SHARED_PATHS" > "$$(.venv-kilted/bin/python -c "$$PURELIB")/shared.pth"
	@touch $@

# PYTHON matters while there is no .venv, or when it is named expressly.
UNLESS_THERE = $(if $(findstring command line,$(origin PYTHON)),,test -e .venv/.ready || $(HAS_PIP) ||)

check-python:
	@$(UNLESS_THERE) $(PYTHON) -c '' 2>/dev/null || { echo 'make: $(PYTHON) does not run: install' \
		'Python 3.10 or newer, or name another one, as in: make setup PYTHON=python3.12' >&2; exit 1; }
	@$(UNLESS_THERE) $(PYTHON) -c "$$CHECK_PYTHON"

define CHECK_PYTHON
import platform, subprocess, sys
version = '%d.%d' % sys.version_info[:2]
if not (3, 10) <= sys.version_info[:2] <= (3, 14):
    sys.exit('make: $(PYTHON) is Python %s, versions 3.10 to 3.14 are supported: name another one, '
             'as in: make setup PYTHON=python3.12' % version)
if (platform.system(), platform.machine()) != ('Linux', 'x86_64'):
    sys.exit('make: ROS 2 comes from PyPI for Linux on x86_64 only, this is %s on %s: use a ROS 2 '
             'installation, as README.md says' % (platform.system(), platform.machine()))
try:
    import ensurepip, venv
except ImportError:
    sys.exit('make: $(PYTHON) has no venv module: install it, on Debian and Ubuntu with '
             'sudo apt install python%s-venv' % version)
if subprocess.call('$(HAS_PIP)', shell=True) == 0:
    there = subprocess.check_output(
        ['$(RUN)', '-c', 'import sys; print("%d.%d" % sys.version_info[:2])']).decode().strip()
    if there != version:
        sys.exit('make: .venv is of Python %s, $(PYTHON) is Python %s: run make clean-venv first'
                 % (there, version))
endef

define KILTED_REQUIREMENTS
from importlib.metadata import requires
for requirement in requires('emuformer_ros'):
    name, _, marker = requirement.partition(';')
    if 'ros-kilted' in marker:
        print(name.strip())
endef

define PURELIB
import sysconfig; print(sysconfig.get_path('purelib'))
endef

define SHARED_PATHS
import os, sysconfig
print(os.getcwd())
print(sysconfig.get_path('purelib'))
endef

define CHECK_KILTED
import os, sys, rclpy
from importlib.metadata import version
if not os.path.realpath(rclpy.__file__).startswith(os.path.realpath(sys.prefix) + os.sep):
    sys.exit('make: rclpy comes from %s, not from .venv-kilted: remove it and run make test-kilted '
             'again' % rclpy.__file__)
print('ROS 2 Kilted: rclpy ' + version('ros-rclpy'))
endef

export CHECK_PYTHON KILTED_REQUIREMENTS PURELIB SHARED_PATHS CHECK_KILTED
