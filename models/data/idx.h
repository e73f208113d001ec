// The IDX format of MNIST and its relatives: a folder with the images and labels of a training and a test set.
#ifndef BITGATE_MODELS_DATA_IDX_H_
#define BITGATE_MODELS_DATA_IDX_H_

#include <string>

#include "models/data/dataset.h"

namespace bitgate {

// Whether one of the files that LoadIdx reads is in it.
bool IsIdxFolder(const std::string& folder);

// Loads `folder`/train-images-idx3-ubyte and train-labels-idx1-ubyte, or t10k-... for the test set. Each file may be
// plain or gzip (with or without .gz at the end of its name), and may have a dot before "idx" in place of the dash.
// Images are unsigned bytes of any height and width: idx3 (magic 0x00000803: count, height, width) with one channel, or
// idx4 (0x00000804: count, height, width, channels; the name may say idx4 too). `num_classes` = 0 takes one more than
// the largest label.
//
// The files are not trusted: sizes are checked against the bytes there are before memory is asked for, and what a gzip
// stream unpacks to is bounded by the size in its IDX header. Throws NotFound for a missing folder or file, DataLoss
// for malformed contents, InvalidArgument for an empty set, counts that differ, or a label that is out of range.
Dataset LoadIdx(const std::string& folder, Split split, int num_classes = 0);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_IDX_H_
