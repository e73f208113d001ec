"""Runs the quickstart's exported model with onnxruntime and sums the run up.

Reads bits.json, float.json, eval.json, predictions.txt and model.onnx in the folder that it is given. Fails if
onnxruntime agrees with our predictions on less than 99.9 % of the test images.
"""

import gzip
import json
import pathlib
import sys

import numpy
import onnxruntime

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
WANTED_AGREEMENT = 0.999


def test_images(preprocessing):
    """The test images as the model wants them: (raw * scale - mean) / std."""
    with gzip.open(DATA / "t10k-images-idx3-ubyte.gz") as file:
        raw = numpy.frombuffer(file.read()[16:], dtype=numpy.uint8)
    images = raw.reshape([-1, *preprocessing["shape"]]).astype(numpy.float32) * numpy.float32(preprocessing["scale"])
    if preprocessing["mean"]:
        images = images - numpy.array(preprocessing["mean"], dtype=numpy.float32)
    if preprocessing["std"]:
        images = images / numpy.array(preprocessing["std"], dtype=numpy.float32)
    return images


def onnx_predictions(path):
    """The class that onnxruntime gives each test image."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = test_images(json.loads(session.get_modelmeta().custom_metadata_map["bitgate.preprocessing"]))
    name = session.get_inputs()[0].name
    return numpy.concatenate([session.run(None, {name: images[i:i + 500]})[0].argmax(axis=1)
                              for i in range(0, len(images), 500)])


def main():
    onnxruntime.set_default_logger_severity(3)
    folder = pathlib.Path(sys.argv[1])
    learned, full, evaluation = (json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
                                 for name in ("bits", "float", "eval"))
    ours = numpy.loadtxt(folder / "predictions.txt", dtype=int)
    agreement = float((onnx_predictions(folder / "model.onnx") == ours).mean())
    totals = learned["bits"]["totals"]
    print(f"""
test accuracy       {100 * evaluation['accuracy']:.2f} %, float network {100 * full['test_accuracy']:.2f} %
bit operations      {100 * totals['relative_bops']:.2f} % of the float network's
channels kept       {totals['kept_channels']} of {totals['channels']}
weights             {totals['bytes'] / 1000:.0f} kB, float {totals['float_bytes'] / 1000:.0f} kB
onnxruntime agrees  on {100 * agreement:.2f} % of {len(ours)} test images
training            {learned['seconds']:.0f} s for {learned['epochs']} epochs, {full['seconds']:.0f} s in float

{folder}/bits.safetensors, float.safetensors   checkpoints (and .best.safetensors)
{folder}/bits.log.jsonl                        every epoch's loss, accuracy, bits, channels
{folder}/model.onnx                            the exported model""")
    if agreement < WANTED_AGREEMENT:
        sys.exit(f"quickstart: expected onnxruntime to agree on {100 * WANTED_AGREEMENT} % of the images, "
                 f"got {100 * agreement:.2f} %")


if __name__ == "__main__":
    main()
