#include "tools/bench/onednn_calls.h"

#include <dnnl.hpp>
#include <memory>
#include <unordered_map>

#include "runtime/device/onednn.h"

namespace bitgate::bench {
namespace {

using Dims = dnnl::memory::dims;
using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto kFloat = dnnl::memory::data_type::f32;

// A primitive with memory of its own for each argument.
std::function<void()> Call(const std::shared_ptr<OneDnn>& library, dnnl::primitive primitive,
                           const std::vector<std::pair<int, Desc>>& arguments) {
  auto memories = std::make_shared<std::unordered_map<int, dnnl::memory>>();
  for (const auto& [index, desc] : arguments) {
    dnnl::memory memory(desc, library->engine);
    float* values = static_cast<float*>(memory.get_data_handle());
    for (size_t i = 0; i < desc.get_size() / sizeof(float); ++i) values[i] = 0.01f * static_cast<float>(i % 17);
    memories->emplace(index, memory);
  }
  return [library, primitive, memories] {
    primitive.execute(library->stream, *memories);
    library->stream.wait();
  };
}

void AddConvolution(const std::shared_ptr<OneDnn>& library, Dims x, Dims w, Dims y, bool input_gradient,
                    std::vector<std::function<void()>>* calls) {
  using dnnl::algorithm;
  using dnnl::prop_kind;
  const Dims one = {1, 1}, none = {0, 0};
  // Three channels or more stay channels last; the library picks for a single one.
  const Desc x_any(x, kFloat, Tag::nhwc), w_any(w, kFloat, Tag::any), y_any(y, kFloat, Tag::nhwc);
  const Desc bias({w[0]}, kFloat, Tag::x);
  const dnnl::convolution_forward::primitive_desc forward(
      {prop_kind::forward_training, algorithm::convolution_direct, x_any, w_any, bias, y_any, one, none, none},
      library->engine);
  calls->push_back(Call(library, dnnl::convolution_forward(forward),
                        {{DNNL_ARG_SRC, forward.src_desc()},
                         {DNNL_ARG_WEIGHTS, forward.weights_desc()},
                         {DNNL_ARG_BIAS, bias},
                         {DNNL_ARG_DST, forward.dst_desc()}}));
  const dnnl::convolution_backward_weights::primitive_desc weights(
      {algorithm::convolution_direct, x_any, w_any, bias, y_any, one, none, none}, library->engine, forward);
  calls->push_back(Call(library, dnnl::convolution_backward_weights(weights),
                        {{DNNL_ARG_SRC, weights.src_desc()},
                         {DNNL_ARG_DIFF_DST, weights.diff_dst_desc()},
                         {DNNL_ARG_DIFF_WEIGHTS, weights.diff_weights_desc()},
                         {DNNL_ARG_DIFF_BIAS, bias}}));
  if (!input_gradient) return;
  const dnnl::convolution_backward_data::primitive_desc data(
      {algorithm::convolution_direct, x_any, w_any, y_any, one, none, none}, library->engine, forward);
  calls->push_back(Call(library, dnnl::convolution_backward_data(data),
                        {{DNNL_ARG_DIFF_SRC, data.diff_src_desc()},
                         {DNNL_ARG_WEIGHTS, data.weights_desc()},
                         {DNNL_ARG_DIFF_DST, data.diff_dst_desc()}}));
}

// y = x w^T, dx = dy w, dw = dy^T x.
void AddLinear(const std::shared_ptr<OneDnn>& library, int64_t n, int64_t in, int64_t out,
               std::vector<std::function<void()>>* calls) {
  const auto product = [&](Desc a, Desc b, Dims c) {
    const Desc c_desc(c, kFloat, Tag::ab);
    const dnnl::matmul::primitive_desc primitive(dnnl::matmul::desc(a, b, c_desc), library->engine);
    calls->push_back(
        Call(library, dnnl::matmul(primitive), {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c_desc}}));
  };
  product(Desc({n, in}, kFloat, Tag::ab), Desc({in, out}, kFloat, Tag::ba), {n, out});
  product(Desc({n, out}, kFloat, Tag::ab), Desc({out, in}, kFloat, Tag::ab), {n, in});
  product(Desc({out, n}, kFloat, Tag::ba), Desc({n, in}, kFloat, Tag::ab), {out, in});
}

}  // namespace

std::vector<std::function<void()>> LeNetOneDnnCalls(int64_t batch) {
  auto library = std::make_shared<OneDnn>();
  std::vector<std::function<void()>> calls;
  AddConvolution(library, {batch, 1, 28, 28}, {32, 1, 5, 5}, {batch, 32, 24, 24}, false, &calls);
  AddConvolution(library, {batch, 32, 12, 12}, {64, 32, 5, 5}, {batch, 64, 8, 8}, true, &calls);
  AddLinear(library, batch, 1024, 512, &calls);
  AddLinear(library, batch, 512, 10, &calls);
  return calls;
}

}  // namespace bitgate::bench
