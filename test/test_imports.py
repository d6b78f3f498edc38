"""Who imports whom, and what is missing on some robots: PyTorch, what came after Humble.

And what `ros2 launch` lacks, which runs in the system's Python, not in the node's environment.
"""

import ast
import json
import subprocess
import sys

import pytest
from source_files import ROOT, imported_modules, imports, python_files

# Absent from Humble, after the change logs of rclpy (3.3), launch (1.0) and launch_ros (0.19).
# Inside a try statement, with something to fall back on, they may be used.
NOT_IN_HUMBLE = {
    'rclpy.event_handler': 'rclpy.qos_event there',
    'rclpy.parameter_client': 'since Iron',
    'rclpy.parameter_event_handler': 'since Jazzy',
    'rclpy.experimental': 'since Kilted',
    'AllSubstitution': 'since Iron',
    'AnySubstitution': 'since Iron',
    'EqualsSubstitution': 'since Iron',
    'FileContent': 'since Jazzy',
    'IfElseSubstitution': 'since Jazzy',
    'LaunchLogDir': 'since Iron',
    'LifecycleTransition': 'since Iron',
    'NotEqualsSubstitution': 'since Iron',
    'PushROSNamespace': 'PushRosNamespace there',
    'ROSTimer': 'RosTimer there',
    'SetROSLogDir': 'since Iron',
    'BEST_AVAILABLE': 'a QoS policy since Iron',
    'add_post_set_parameters_callback': 'since Iron',
    'add_pre_set_parameters_callback': 'since Iron',
    'configure_introspection': 'since Iron',
    'count_clients': 'since Jazzy',
    'count_services': 'since Jazzy',
    'enable_logger_service': 'since Iron',
    'get_publisher_count': 'of a subscription, since Iron',
    'on_parameter_event': 'since Iron',
    'respawn_max_retries': 'since Jazzy',
    'wait_for_node': 'since Iron',
}

# What a robot imports that runs another engine than PyTorch's, and has no PyTorch.
WITHOUT_TORCH = [
    'emu_model',
    'emu_model.checkpoint',
    'emu_model.engines',
    'emu_model.geometry',
    'emu_model.labels',
    'emu_model.overlay',
    'emu_model.overview',
    'emu_model.plots',
    'emu_model.prediction',
    'emu_model.scenes',
    'emu_model.tasks',
    'emuformer_ros.bags.reading',
    'emuformer_ros.demo',
    'emuformer_ros.evaluate_bag',
    'emuformer_ros.perception_node',
    'emuformer_ros.synthetic_drive',
]

# Built on PyTorch.
TORCH = ['torch', 'torchvision', 'timm', 'torchmetrics', 'lightning']

# From pip, into the environment that the node runs in.
FROM_PIP = [*TORCH, 'mcap', 'onnx', 'onnxruntime', 'openvino', 'rosbags', 'safetensors']


@pytest.mark.parametrize(
    ('folder', 'forbidden'),
    [
        ('emu_model', {'emuformer_ros', 'train', 'rclpy', 'lightning'}),
        ('emuformer_ros', {'train', 'torch', 'timm', 'lightning'}),
        ('train', {'emuformer_ros', 'rclpy'}),
    ],
)
def test_imports_run_one_way(folder, forbidden):
    wrong = {str(path): forbidden & set(imports(path)) for path in python_files(folder)}
    assert {path: names for path, names in wrong.items() if names} == {}


def run_without(packages, code):
    """Run code where importing some packages raises an ImportError; what it prints."""
    script = f'import sys; sys.modules.update(dict.fromkeys({packages}))\n{code}'
    done = subprocess.run(
        [sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_importable_without(packages, modules):
    output = run_without(
        packages,
        f"""
import importlib, json, traceback
failed = {{}}
for name in {modules}:
    try:
        importlib.import_module(name)
    except ImportError:
        failed[name] = traceback.format_exc()
print(json.dumps(failed))
""",
    )
    failed = json.loads(output)
    assert not failed, '\n'.join(failed.values())


def test_all_but_the_torch_engine_imports_without_torch():
    assert_importable_without(TORCH, WITHOUT_TORCH)


def test_launch_files_need_nothing_from_pip():
    """`ros2` runs in the system's Python, which has what apt installs."""
    paths = python_files('launch')
    needed = {name for path in paths for name in imported_modules(path)}
    modules = sorted(name for name in needed if name.startswith(('emu_model', 'emuformer_ros')))
    assert 'emuformer_ros.parameters' in modules
    assert_importable_without(FROM_PIP, modules)


def test_a_checkpoint_describes_itself_without_torch(checkpoints):
    path = str(checkpoints['SegDepthFormer'])
    output = run_without(
        TORCH, f'from emu_model import checkpoint\nprint(checkpoint.read_info({path!r}).backbone)'
    )
    assert output.split() == ['mit_b0']


def names_outside_try(node):
    """Modules, attributes, keywords and names that code relies on without a way around them."""
    if isinstance(node, ast.Try):
        return
    match node:
        case ast.ImportFrom(module=str(module)):
            yield module
            yield from (f'{module}.{alias.name}' for alias in node.names)
            yield from (alias.name for alias in node.names)
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.Name(id=name):
            yield name
    for child in ast.iter_child_nodes(node):
        yield from names_outside_try(child)


def test_nothing_newer_than_humble_is_relied_on():
    newer = {
        f'{path.relative_to(ROOT)}: {name}': NOT_IN_HUMBLE[name]
        for path in python_files('emuformer_ros', 'launch')
        for name in names_outside_try(ast.parse(path.read_text()))
        if name in NOT_IN_HUMBLE
    }
    assert newer == {}


def test_newer_names_are_found_unless_inside_try():
    relied_on = 'import rclpy.event_handler\nnode.wait_for_node(name)\n'
    guarded = 'try:\n    node.count_clients(name)\nexcept AttributeError:\n    pass\n'
    code = relied_on + guarded
    found = {name for name in names_outside_try(ast.parse(code)) if name in NOT_IN_HUMBLE}
    assert found == {'rclpy.event_handler', 'wait_for_node'}
