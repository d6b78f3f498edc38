"""Names of the topics that go with an image topic, by the conventions of image_transport."""

COMPRESSED_SUFFIX = '/compressed'
"""What is appended to an image's topic for its compressed form."""


def base_topic(image_topic: str) -> str:
    """The image topic without the suffix of the compressed form."""
    return image_topic.removesuffix(COMPRESSED_SUFFIX)


def camera_info_sibling(image_topic: str) -> str:
    """The topic beside an image topic where its CameraInfo is."""
    return base_topic(image_topic).rpartition('/')[0] + '/camera_info'
