import os
import threading

import pytest

from emu_model.files import workspace_in, written_aside


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / 'new' / 'figures.json'
    with written_aside(path) as partial:
        partial.write_text('half')
        assert not path.exists()
        assert (partial.parent, partial.suffix) == (path.parent, '.json')
        partial.write_text('whole')
    assert path.read_text() == 'whole'
    assert os.listdir(path.parent) == ['figures.json']


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / 'figures.json'
    path.write_text('before')

    def fill_the_disk():
        with written_aside(path) as partial:
            partial.write_text('half')
            raise OSError('the disk is full')

    with pytest.raises(OSError, match='full'):
        fill_the_disk()
    assert path.read_text() == 'before'
    assert os.listdir(tmp_path) == ['figures.json']


def test_what_was_not_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), written_aside(tmp_path / 'absent'):
        pass
    assert not list(tmp_path.iterdir())


def test_threads_that_write_the_same_file_leave_one_of_their_own(tmp_path):
    path = tmp_path / 'shared'
    contents = [str(index) * 100_000 for index in range(8)]
    start = threading.Barrier(len(contents))

    def write(content):
        start.wait()
        with written_aside(path) as partial:
            partial.write_text(content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in contents
    assert os.listdir(tmp_path) == ['shared']


def test_a_workspace_is_gone_afterwards_and_what_was_moved_out_of_it_is_not(tmp_path):
    with workspace_in(tmp_path / 'results') as workspace:
        assert not list(workspace.iterdir())
        (workspace / 'kept').write_text('kept')
        (workspace / 'left').write_text('left')
        os.replace(workspace / 'kept', tmp_path / 'results' / 'kept')
    assert os.listdir(tmp_path / 'results') == ['kept']
