#include "models/nn/full_gradient.h"

#include "ops/norm/folded_norm.h"
#include "runtime/kernel/accumulate.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

Tensor FullGradient(Context& context, const Parameter& parameter, const Tensor& row_gradient,
                    const Tensor& penalty_gradient) {
  const Tensor &gain = parameter.gain, &decay = parameter.decay;
  const Tensor full = Zeros(context, parameter.value.shape());
  const int64_t rows = gain.defined() ? gain.size() : decay.size();
  const Tensor part = SliceView(full, 0, 0, rows);
  if (row_gradient.defined()) {
    for (int64_t r = 0; r < rows; ++r) {
      const Tensor row = SliceView(full, 0, r, r + 1);
      CopyInto(context, row, ReshapeView(row_gradient.Detached(), row.shape()));
    }
    if (gain.defined()) CopyInto(context, part, ScaleRows(context, part, gain));
  }
  if (penalty_gradient.defined() && decay.defined()) {
    const Tensor factor = ReshapeView(penalty_gradient.Detached(), {1});
    const Tensor factors = ReshapeView(ScaleRows(context, ReshapeView(decay, {1, rows}), factor), {rows});
    Add(context, part, part, ScaleRows(context, SliceView(parameter.value.Detached(), 0, 0, rows), factors));
  }
  return full;
}

}  // namespace bitgate
