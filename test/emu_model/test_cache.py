import pytest

from emu_model.cache import cache_folder


@pytest.mark.parametrize(
    ('variables', 'folder'),
    [
        ({'EMUFORMER_CACHE': '/fast/disk', 'XDG_CACHE_HOME': '/cache'}, '/fast/disk'),
        ({'XDG_CACHE_HOME': '/cache'}, '/cache/emuformer'),
        ({'XDG_CACHE_HOME': 'relative'}, '/home/me/.cache/emuformer'),
        ({'XDG_CACHE_HOME': ''}, '/home/me/.cache/emuformer'),
        ({}, '/home/me/.cache/emuformer'),
    ],
)
def test_the_folder_is_the_one_that_is_named_or_the_users(variables, folder, monkeypatch):
    for name in ('EMUFORMER_CACHE', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**variables, 'HOME': '/home/me'}.items():
        monkeypatch.setenv(name, value)
    assert str(cache_folder()) == folder
