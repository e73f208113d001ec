"""Trains a recipe through the Python module and prints the seconds that it took: RECIPE DATA_FOLDER OUTPUT."""

import json
import sys

import bitgate


def main():
    recipe, folder, output = sys.argv[1:]
    model = bitgate.Model.from_recipe(recipe)
    run = bitgate.Trainer(model, bitgate.data.folder(folder, classes=10), output=output, existing="overwrite",
                          progress=False).fit()
    print(json.dumps({"seconds": run.seconds, "epochs": run.epochs}))


main()
