import pytest

from train import evaluate, pseudo_labels

COMMANDS = {
    evaluate: ['network.safetensors', '--data=synthetic', '--output=unused.json'],
    pseudo_labels: ['--data=synthetic', '--output=unused'],
}


@pytest.mark.parametrize('command', COMMANDS, ids=lambda command: command.__name__)
@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[1]', "'[1]' is no JSON object: give names and values, such as {"),
        ('3', "'3' is no JSON object"),
        ('null', "'null' is no JSON object"),
        ('{"rows": 768', '\'{"rows": 768\' is no JSON ('),
        ('{"split": "train"}', "'split' has an argument of its own: give --split"),
        ('{"root": "."}', "'root' has an argument of its own: give --root"),
    ],
)
def test_options_of_data_that_are_no_json_object_are_refused(
    command, text, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        command.main([*COMMANDS[command], f'--data-options={text}'])
    assert stopped.value.code == 2
    assert f'argument --data-options: {message}' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
