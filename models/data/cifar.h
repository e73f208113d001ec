// The binary version of CIFAR-10 and CIFAR-100: records of one or two labels and three planes of 32x32 bytes.
#ifndef BITGATE_MODELS_DATA_CIFAR_H_
#define BITGATE_MODELS_DATA_CIFAR_H_

#include <string>

#include "models/data/dataset.h"

namespace bitgate {

// Whether one of the files that LoadCifar reads is where it looks.
bool IsCifarFolder(const std::string& folder);

// Loads data_batch_1.bin .. data_batch_5.bin or test_batch.bin (CIFAR-10), or train.bin or test.bin (CIFAR-100, whose
// fine labels are the classes), each plain or gzip, with or without .gz at the end of its name. They lie in `folder`,
// or in its sub-folder cifar-10-batches-bin or cifar-100-binary, as the archives unpack. The images are 32x32x3.
// `num_classes` = 0 takes the format's, 10 or 100.
//
// The files are not trusted. Throws NotFound for a missing folder or file; DataLoss for a file that is not whole
// records (or more than 100,000 of them) and for labels that the format does not have; InvalidArgument for labels
// outside [0, num_classes), and for a folder that has both formats.
Dataset LoadCifar(const std::string& folder, Split split, int num_classes = 0);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_CIFAR_H_
