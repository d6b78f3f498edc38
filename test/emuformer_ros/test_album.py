"""The pictures of the report page, decoded again."""

import base64

import cv2
import numpy as np

from emu_model.prediction import Prediction
from emuformer_ros.bag_evaluation.album import make_album
from emuformer_ros.bag_evaluation.gallery import Look
from emuformer_ros.bag_evaluation.ground_truth import GroundTruth

FRAME = ('bag', 0)


def decoded(picture) -> np.ndarray:
    data = base64.b64decode(picture.uri.partition(',')[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def test_each_object_has_a_colour_of_its_own_and_what_is_none_is_black():
    instances = np.zeros((48, 96), np.uint16)
    instances[:, 32:64], instances[:, 64:] = 1, 40_000
    ones = np.ones((48, 96), np.float32)
    prediction = Prediction(depth=ones, depth_std=ones, instances=instances)
    look = Look(np.zeros((48, 96, 3), np.uint8), prediction, None, GroundTruth())

    pictures = {p.title: p for p in make_album({FRAME: look}).pictures[FRAME]}

    none, first, second = (decoded(pictures['Objects'])[24, column] for column in (16, 48, 80))
    assert none.max() < 16
    assert min(first.max(), second.max()) > 48
    assert np.abs(first - second).max() > 48


def test_a_network_without_the_instance_task_has_no_picture_of_objects():
    ones = np.ones((16, 16), np.float32)
    prediction = Prediction(depth=ones, depth_std=ones)
    look = Look(np.zeros((16, 16, 3), np.uint8), prediction, None, GroundTruth())

    titles = [picture.title for picture in make_album({FRAME: look}).pictures[FRAME]]

    assert 'Objects' not in titles
    assert titles[0] == 'Camera'
