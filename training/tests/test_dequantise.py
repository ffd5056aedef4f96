"""Weights read back from int8 networks are what the quantised ones stand for.

python -m unittest discover -s training/tests
"""

import importlib.util
import sys
import unittest
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))

from dequantise import bundle_weights, float_weights

DEMO = HERE.parents[2] / "bundles" / "demo"
# What the rest of the network needs, which only `make loop` installs (PYTHONPATH=.tools/loop).
WANTED = ("torch", "cv2", "efficientnet_lite_pytorch")


def model(nodes, tensors):
    given = [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1])
    return helper.make_model(helper.make_graph(nodes, "test", [image], [], given))


class Dequantise(unittest.TestCase):
    def test_each_channel_has_its_own_step(self):
        nodes = [helper.make_node("DequantizeLinear", ["w_quantized", "w_scale", "w_zero"], ["w"], axis=0)]
        tensors = {
            "w_quantized": np.array([[1, -2], [63, 0]], np.int8),
            "w_scale": np.array([0.5, 2.0], np.float32),
            "w_zero": np.array([0, 1], np.int8),
        }
        weights = float_weights(model(nodes, tensors))
        self.assertEqual(list(weights), ["w"])
        np.testing.assert_array_equal(weights["w"], [[0.5, -1.0], [124.0, -2.0]])
        self.assertEqual(weights["w"].dtype, np.float32)

    def test_other_axes_and_biases(self):
        nodes = [
            helper.make_node("DequantizeLinear", ["w_quantized", "w_scale"], ["w"], axis=1),
            helper.make_node("DequantizeLinear", ["b_quantized", "b_scale"], ["b"]),
        ]
        tensors = {
            "w_quantized": np.array([[1, 1]], np.int8),
            "w_scale": np.array([0.25, 4.0], np.float32),
            "b_quantized": np.array([100_000], np.int32),
            "b_scale": np.array([0.001], np.float32),
        }
        weights = float_weights(model(nodes, tensors))
        np.testing.assert_array_equal(weights["w"], [[0.25, 4.0]])
        np.testing.assert_allclose(weights["b"], [100.0])

    def test_what_was_not_quantised_stays_and_steps_of_activations_go(self):
        nodes = [
            helper.make_node("QuantizeLinear", ["image", "a_scale", "a_zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "a_scale", "a_zero"], ["a"]),
        ]
        tensors = {"a_scale": np.float32(0.1), "a_zero": np.uint8(3), "mean": np.float32(127)}
        self.assertEqual(float_weights(model(nodes, tensors)), {"mean": np.float32(127)})

    def test_the_demonstration_bundle_has_every_layer(self):
        weights = bundle_weights(DEMO)
        self.assertEqual(weights["gate.3.weight"].shape, (1, 64))
        self.assertEqual(weights["head.weight"].shape, (6, 48, 1, 1))
        # Bits of int8 with 7 of them: no weight is further from zero than 63 steps.
        layer = weights["head.weight"][0]
        steps = np.abs(layer[layer != 0]).min()
        self.assertLessEqual(np.abs(layer).max() / steps, 63.001)
        self.assertFalse([name for name in weights if name.endswith(("_quantized", "_scale", "_zero_point"))])

    def test_the_torch_network_answers_as_the_bundle(self):
        missing = [name for name in WANTED if importlib.util.find_spec(name) is None]
        if missing:
            why = f"without {', '.join(missing)}: scripts/setup.sh loop installs them"
            print(f"skipped: the torch network with the bundle's weights, {why}", file=sys.stderr)
            self.skipTest(why)
        from finetune_export import agreement, starting_network
        from self_test_picture import picture

        photos = np.stack([np.asarray(picture()), np.asarray(picture())[:, ::-1]])
        found = agreement(starting_network(DEMO), DEMO, photos)
        self.assertGreater(found["mask_iou"], 0.95)
        self.assertLess(found["gate_step_max"], 0.05)


if __name__ == "__main__":
    unittest.main()
