// A golden vector file, and comparison in units of float32 epsilon.
#ifndef BITGATE_TESTS_GOLDEN_GOLDEN_FILE_H_
#define BITGATE_TESTS_GOLDEN_GOLDEN_FILE_H_

#include <map>
#include <string>
#include <vector>

#include "runtime/tensor/safetensors.h"
#include "runtime/tensor/shape.h"

namespace bitgate::golden {

class GoldenFile {
 public:
  explicit GoldenFile(const std::string& path) : file_(SafetensorsFile::Open(path)) {}

  const std::map<std::string, std::string>& metadata() const { return file_.metadata(); }
  std::vector<std::string> names() const { return file_.names(); }
  bool Has(const std::string& name) const { return file_.Contains(name); }
  Shape ShapeOf(const std::string& name) const { return Shape(file_.Entry(name).shape); }
  // Throw NotFound for a missing tensor, InvalidArgument for another dtype.
  std::vector<float> Floats(const std::string& name) const;
  std::vector<int32_t> Ints(const std::string& name) const;
  // A number in the metadata.
  double Number(const std::string& key) const;

 private:
  SafetensorsFile file_;
};

// Collects how far results are from a file's, in units of eps * scale, and whether that is allowed.
class Comparison {
 public:
  // scale 0: the largest magnitude of `expected`.
  void Check(const std::string& what, const std::vector<float>& actual, const std::vector<float>& expected,
             double allowed, double scale = 0);
  bool passed() const { return failures_.empty(); }
  // One line: the worst ratio per kind of tensor; and one per failure.
  std::string Summary() const;

 private:
  struct Worst {
    double error = 0, allowed = 0;
  };
  std::map<std::string, Worst> worst_;
  std::vector<std::string> failures_;
};

// Replays of one file each; throw Error when the file lacks something.
void ReplayQuantizer(const GoldenFile& file, Comparison* comparison);
void ReplayLeNet(const GoldenFile& file, Comparison* comparison);
void ReplayBatchNormFold(const GoldenFile& file, Comparison* comparison);
void ReplayBsq(const GoldenFile& file, Comparison* comparison);

}  // namespace bitgate::golden

#endif  // BITGATE_TESTS_GOLDEN_GOLDEN_FILE_H_
