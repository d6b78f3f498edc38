"""What pip and colcon install.

The metadata stands here and not in pyproject.toml because colcon builds with the setuptools of the
ROS distribution, and Humble's does not read it there.
"""

from glob import glob
from pathlib import Path

from setuptools import find_packages, setup

NAME = 'emuformer_ros'
PACKAGES = ('emu_model', NAME, 'train')

# An extra of its own: a robot may run another engine without 6 GB of PyTorch, and a Jetson has
# NVIDIA's build of it, which pip must not replace.
TORCH = [
    'timm>=1.0.21',
    'torch>=2.5',
    'torchmetrics>=1.4',
]

# ROS 2 as wheels (Linux on x86-64), for machines without a ROS 2 installation. On a robot they
# would hide the distribution's own packages.
ROS_JAZZY = [
    'ros-ament-index-python~=1.8.1',
    'ros-diagnostic-msgs~=5.3.6',
    'ros-lifecycle-msgs~=2.0.3',
    'ros-rcl-interfaces~=2.0.3',
    'ros-rclpy[fastrtps]~=7.1.6',
    'ros-rosgraph-msgs~=2.0.3',
    'ros-sensor-msgs~=5.3.6',
    'ros-std-msgs~=5.3.6',
]
ROS_KILTED = [
    'ros-ament-index-python~=1.11.0',
    'ros-diagnostic-msgs~=5.5.1',
    'ros-lifecycle-msgs~=2.3.0',
    'ros-rcl-interfaces~=2.3.0',
    'ros-rclpy[fastrtps]~=9.1.2',
    'ros-rosgraph-msgs~=2.3.0',
    'ros-sensor-msgs~=5.5.1',
    'ros-std-msgs~=5.5.1',
]


def data_of(package: str) -> list[str]:
    """All files in a package that are not code, by names that every setuptools understands."""
    files = [path for path in Path(package).rglob('*') if path.is_file()]
    return sorted(
        path.relative_to(package).as_posix()
        for path in files
        if path.suffix != '.py' and path.parent.name != '__pycache__'
    )


setup(
    name=NAME,
    version='0.1.0',
    description=(
        'Semantic classes, metric depth and the uncertainty of both from a plain camera, '
        'as a ROS 2 node and a PyTorch library (EMUFormer)'
    ),
    maintainer='EMUFormer ROS maintainers',
    maintainer_email='maintainers@users.noreply.b-seed-1e0b9bf8.example',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(
        include=[pattern for package in PACKAGES for pattern in (package, f'{package}.*')]
    ),
    package_data={package: data_of(package) for package in PACKAGES},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/config', sorted(glob('config/*'))),
        (f'share/{NAME}/launch', sorted(glob('launch/*'))),
    ],
    zip_safe=False,
    install_requires=[
        'jinja2>=3.1',
        'matplotlib>=3.8',
        'mcap>=1.2.1',
        'numpy>=1.26',
        'opencv-python-headless>=4.8',
        'pillow>=10.0',
        'rich>=13.7',
        'rosbags>=0.11.6',
        'rosbags-image>=0.10',
        'ruamel.yaml>=0.18',
        'safetensors>=0.4.3',
    ],
    extras_require={
        'torch': TORCH,
        'openvino': ['onnx>=1.16', 'openvino>=2025.0'],
        'onnx': ['onnx>=1.16', 'onnxruntime>=1.18'],
        'optics': ['scikit-learn>=1.7'],
        'ray': ['ray>=2.60'],
        'train': [
            *TORCH,
            'h5py>=3.11',
            'jsonargparse[signatures]>=4.35',
            'lightning>=2.4',
            'pyyaml>=6.0',
            'scipy>=1.13',
            'tensorboard>=2.17',
            'torchvision>=0.19',
        ],
        'ros-jazzy': ROS_JAZZY,
        'ros-kilted': ROS_KILTED,
        'test': [
            'hypothesis>=6.100',
            'packaging>=24.0',
            'pytest>=8.2',
            'pyyaml>=6.0',
            'ruff>=0.12',
            'scikit-learn>=1.7',
            'scipy>=1.13',
            'setuptools>=64',
            'transformers>=5.13',
        ],
    },
    entry_points={
        'console_scripts': [
            f'{program} = {NAME}.{program}:main' for program in ('evaluate_bag', 'perception_node')
        ]
    },
)
