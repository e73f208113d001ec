// The data set that a path on the command line or in a recipe means.
#ifndef BITGATE_MODELS_DATA_OPEN_H_
#define BITGATE_MODELS_DATA_OPEN_H_

#include <string>

#include "models/data/dataset.h"

namespace bitgate {

// A folder of IDX files (idx.h) or of CIFAR's binary files (cifar.h), which its files tell; or, with an empty path,
// Fashion-MNIST of the Debian package dataset-fashion-mnist. `num_classes` = 0 takes what the format says: CIFAR's own,
// or one more than the largest label. Throws what LoadIdx and LoadCifar throw; NotFound naming the files that it looked
// for where there are none, or the package that is not installed; InvalidArgument for a folder with files of both.
Dataset OpenDataset(const std::string& path, Split split, int num_classes = 0);

// Fashion-MNIST from the folder where the Debian package puts it.
Dataset OpenFashionMnist(Split split, int num_classes = 0,
                         const std::string& folder = "/usr/share/datasets/fashion-mnist");

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_OPEN_H_
