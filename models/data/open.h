// The data set that a path on the command line or in a recipe means.
#ifndef BITGATE_MODELS_DATA_OPEN_H_
#define BITGATE_MODELS_DATA_OPEN_H_

#include <string>

#include "models/data/dataset.h"

namespace bitgate {

// A folder of IDX files (idx.h), or, with an empty path, Fashion-MNIST of the Debian package dataset-fashion-mnist.
// `num_classes` = 0 takes one more than the largest label. Throws what LoadIdx throws, and NotFound naming the package
// where it is not installed.
Dataset OpenDataset(const std::string& path, Split split, int num_classes = 0);

// Fashion-MNIST from the folder where the Debian package puts it.
Dataset OpenFashionMnist(Split split, int num_classes = 0,
                         const std::string& folder = "/usr/share/datasets/fashion-mnist");

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_OPEN_H_
