// Convolutions and bias against plain loops in double; the traps that cuDNN sets, and its name for dlopen.
#include <cudnn.h>
#include <dlfcn.h>

#include <chrono>
#include <cmath>
#include <set>
#include <string>

#include "tools/cuda_emulator/test_util.h"

namespace cuda_emulator {
namespace {

#define CHECK_CUDNN(expression) ASSERT_EQ((expression), CUDNN_STATUS_SUCCESS)

struct Case {
  int n, c, h, w, k, r, s, stride, pad, dilation, groups;
  cudnnTensorFormat_t format;
  int out_h() const { return (h + 2 * pad - ((r - 1) * dilation + 1)) / stride + 1; }
  int out_w() const { return (w + 2 * pad - ((s - 1) * dilation + 1)) / stride + 1; }
};

size_t At(cudnnTensorFormat_t format, int channels, int height, int width, int n, int c, int h, int w) {
  const size_t at = format == CUDNN_TENSOR_NHWC ? ((size_t(n) * height + h) * width + w) * channels + c
                                                : ((size_t(n) * channels + c) * height + h) * width + w;
  return at;
}

// Calls body(index of x, index of w, index of y) for every product.
template <class Body>
void ForEachProduct(const Case& a, const Body& body) {
  const int group_c = a.c / a.groups, group_k = a.k / a.groups;
  for (int n = 0; n < a.n; ++n)
    for (int k = 0; k < a.k; ++k)
      for (int oh = 0; oh < a.out_h(); ++oh)
        for (int ow = 0; ow < a.out_w(); ++ow)
          for (int c = 0; c < group_c; ++c)
            for (int r = 0; r < a.r; ++r)
              for (int s = 0; s < a.s; ++s) {
                const int h = oh * a.stride - a.pad + r * a.dilation, w = ow * a.stride - a.pad + s * a.dilation;
                if (h < 0 || h >= a.h || w < 0 || w >= a.w) continue;
                body(At(a.format, a.c, a.h, a.w, n, k / group_k * group_c + c, h, w),
                     At(a.format, group_c, a.r, a.s, k, c, r, s),
                     At(a.format, a.k, a.out_h(), a.out_w(), n, k, oh, ow));
              }
}

void ExpectNear(const std::vector<float>& values, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], expected[i], tolerance) << i;
}

class CudnnTest : public EmulatorTest {
 protected:
  void SetUp() override {
    EmulatorTest::SetUp();
    CHECK_CUDNN(cudnnCreate(&handle_));
    CHECK_CUDNN(cudnnSetStream(handle_, stream_));
    for (cudnnTensorDescriptor_t* tensor : {&x_, &y_, &b_}) CHECK_CUDNN(cudnnCreateTensorDescriptor(tensor));
    CHECK_CUDNN(cudnnCreateFilterDescriptor(&w_));
    CHECK_CUDNN(cudnnCreateConvolutionDescriptor(&convolution_));
  }
  void TearDown() override {
    for (cudnnTensorDescriptor_t tensor : {x_, y_, b_}) cudnnDestroyTensorDescriptor(tensor);
    cudnnDestroyFilterDescriptor(w_);
    cudnnDestroyConvolutionDescriptor(convolution_);
    cudnnDestroy(handle_);
    EmulatorTest::TearDown();
  }

  void Describe(const Case& a, cudnnDataType_t type = CUDNN_DATA_FLOAT, cudnnMathType_t math = CUDNN_FMA_MATH) {
    CHECK_CUDNN(cudnnSetTensor4dDescriptor(x_, a.format, type, a.n, a.c, a.h, a.w));
    CHECK_CUDNN(cudnnSetTensor4dDescriptor(y_, a.format, type, a.n, a.k, a.out_h(), a.out_w()));
    CHECK_CUDNN(cudnnSetTensor4dDescriptor(b_, a.format, type, 1, a.k, 1, 1));
    CHECK_CUDNN(cudnnSetFilter4dDescriptor(w_, type, a.format, a.k, a.c / a.groups, a.r, a.s));
    CHECK_CUDNN(cudnnSetConvolution2dDescriptor(convolution_, a.pad, a.pad, a.stride, a.stride, a.dilation, a.dilation,
                                                CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    CHECK_CUDNN(cudnnSetConvolutionGroupCount(convolution_, a.groups));
    CHECK_CUDNN(cudnnSetConvolutionMathType(convolution_, math));
  }

  cudnnHandle_t handle_ = nullptr;
  cudnnTensorDescriptor_t x_ = nullptr, y_ = nullptr, b_ = nullptr;
  cudnnFilterDescriptor_t w_ = nullptr;
  cudnnConvolutionDescriptor_t convolution_ = nullptr;
  const float one_ = 1, zero_ = 0, two_ = 2, half_ = 0.5f;
};

const Case kCases[] = {
    {2, 3, 8, 7, 4, 3, 3, 1, 1, 1, 1, CUDNN_TENSOR_NHWC}, {2, 4, 9, 9, 6, 3, 2, 2, 1, 1, 2, CUDNN_TENSOR_NHWC},
    {1, 4, 8, 8, 4, 3, 3, 1, 2, 2, 4, CUDNN_TENSOR_NHWC}, {3, 1, 6, 6, 5, 5, 5, 1, 0, 1, 1, CUDNN_TENSOR_NCHW},
    {2, 6, 5, 7, 4, 1, 1, 2, 0, 1, 2, CUDNN_TENSOR_NCHW},
};

TEST_F(CudnnTest, ConvolutionsAreRight) {
  for (const Case& a : kCases) {
    Describe(a);
    const std::vector<float> x = Random(a.n * a.c * a.h * a.w, 1), w = Random(a.k * a.c / a.groups * a.r * a.s, 2),
                             y = Random(a.n * a.k * a.out_h() * a.out_w(), 3);
    // With alpha = 2 and beta = 0.5 on top of what is there.
    std::vector<double> new_y(y.begin(), y.end()), new_x(x.begin(), x.end()), new_w(w.begin(), w.end());
    for (auto* values : {&new_y, &new_x, &new_w}) {
      for (double& value : *values) value /= 2;
    }
    ForEachProduct(a, [&](size_t i, size_t j, size_t o) {
      new_y[o] += 2.0 * x[i] * w[j];
      new_x[i] += 2.0 * w[j] * y[o];
      new_w[j] += 2.0 * x[i] * y[o];
    });
    Array<float> device_x(x), device_w(w), device_y(y), old_x(x), old_w(w), old_y(y), workspace(10000);
    const size_t bytes = 10000 * sizeof(float);
    CHECK_CUDNN(cudnnConvolutionForward(handle_, &two_, x_, device_x.data(), w_, device_w.data(), convolution_,
                                        CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, workspace.data(), bytes,
                                        &half_, y_, old_y.data()));
    CHECK_CUDNN(cudnnConvolutionBackwardData(handle_, &two_, w_, device_w.data(), y_, device_y.data(), convolution_,
                                             CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, workspace.data(), bytes, &half_, x_,
                                             old_x.data()));
    CHECK_CUDNN(cudnnConvolutionBackwardFilter(handle_, &two_, x_, device_x.data(), y_, device_y.data(), convolution_,
                                               CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, workspace.data(), bytes, &half_, w_,
                                               old_w.data()));
    ExpectNear(old_y.Values(), new_y, 1e-4);
    ExpectNear(old_x.Values(), new_x, 1e-4);
    ExpectNear(old_w.Values(), new_w, 1e-4);
  }
}

TEST_F(CudnnTest, WorkIsQueuedAndOverwritesNan) {
  const Case& a = kCases[0];
  Describe(a);
  Array<float> x(Random(a.n * a.c * a.h * a.w, 1)), w(Random(a.k * a.c * a.r * a.s, 2)), workspace(10000);
  Array<float> y(a.n * a.k * a.out_h() * a.out_w());
  CHECK_CUDNN(cudnnConvolutionForward(handle_, &one_, x_, x.data(), w_, w.data(), convolution_,
                                      CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, workspace.data(), 40000, &zero_, y_,
                                      y.data()));
  EXPECT_EQ(cudaStreamQuery(stream_), cudaErrorNotReady);
  for (const float value : y.Values()) EXPECT_EQ(value, value);
  for (const float value : workspace.Values()) EXPECT_NE(value, value) << "the workspace is scribbled over";
}

TEST_F(CudnnTest, HeuristicsMakeTheCallerChoose) {
  Describe(kCases[0]);
  cudnnConvolutionBwdFilterAlgoPerf_t offers[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT];
  int count = 0;
  CHECK_CUDNN(cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle_, x_, y_, convolution_, w_,
                                                            CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, &count, offers));
  EXPECT_EQ(offers[0].determinism, CUDNN_NON_DETERMINISTIC);
  bool other_math = false, refused = false, good = false;
  for (int i = 0; i < count; ++i) {
    other_math = other_math || offers[i].mathType != CUDNN_FMA_MATH;
    refused = refused || offers[i].status != CUDNN_STATUS_SUCCESS;
    good = good || (offers[i].status == CUDNN_STATUS_SUCCESS && offers[i].determinism == CUDNN_DETERMINISTIC &&
                    offers[i].mathType == CUDNN_FMA_MATH && offers[i].memory < 1000000);
  }
  EXPECT_TRUE(other_math && refused && good);
  size_t bytes = 0;
  CHECK_CUDNN(cudnnGetConvolutionBackwardFilterWorkspaceSize(handle_, x_, y_, convolution_, w_,
                                                             CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, &bytes));
  EXPECT_GT(bytes, 0u);
  const Case& a = kCases[0];
  Array<float> x(Random(a.n * a.c * a.h * a.w, 1)), y(Random(a.n * a.k * a.out_h() * a.out_w(), 2));
  Array<float> w(a.k * a.c * a.r * a.s), workspace(10000);
  const auto run = [&](cudnnConvolutionBwdFilterAlgo_t algorithm, size_t workspace_bytes) {
    return cudnnConvolutionBackwardFilter(handle_, &one_, x_, x.data(), y_, y.data(), convolution_, algorithm,
                                          workspace.data(), workspace_bytes, &zero_, w_, w.data());
  };
  EXPECT_EQ(run(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, bytes - 1), CUDNN_STATUS_BAD_PARAM);
  char text[200];
  cudnnGetLastErrorString(text, sizeof(text));
  EXPECT_NE(std::string(text).find("workspace"), std::string::npos);
  EXPECT_EQ(run(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT, 40000), CUDNN_STATUS_NOT_SUPPORTED);
  for (const bool deterministic : {true, false}) {
    std::set<std::vector<float>> results;
    for (int i = 0; i < 4; ++i) {
      CHECK_CUDNN(
          run(deterministic ? CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 : CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, 40000));
      results.insert(w.Values());
    }
    EXPECT_EQ(results.size() == 1, deterministic);
  }
}

TEST_F(CudnnTest, MathTypeShows) {
  const Case a{1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, CUDNN_TENSOR_NHWC};
  const float fine = 1.0f + 1.0f / 4096;
  for (const cudnnMathType_t math : {CUDNN_FMA_MATH, CUDNN_DEFAULT_MATH}) {
    Describe(a, CUDNN_DATA_FLOAT, math);
    Array<float> x(std::vector<float>{fine}), w(std::vector<float>{1}), y(1);
    CHECK_CUDNN(cudnnConvolutionForward(handle_, &one_, x_, x.data(), w_, w.data(), convolution_,
                                        CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, nullptr, 0, &zero_, y_, y.data()));
    EXPECT_EQ(y.Values()[0], math == CUDNN_FMA_MATH ? fine : 1.0f);
  }
}

TEST_F(CudnnTest, Bfloat16) {
  const Case a{1, 2, 1, 1, 1, 1, 1, 1, 0, 1, 1, CUDNN_TENSOR_NHWC};
  Describe(a, CUDNN_DATA_BFLOAT16, CUDNN_TENSOR_OP_MATH);
  // 1.5 * 2 + -0.25 * 4
  Array<uint16_t> x(std::vector<uint16_t>{0x3fc0, 0xbe80}), w(std::vector<uint16_t>{0x4000, 0x4080}), y(1);
  const auto run = [&] {
    return cudnnConvolutionForward(handle_, &one_, x_, x.data(), w_, w.data(), convolution_,
                                   CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, nullptr, 0, &zero_, y_, y.data());
  };
  CHECK_CUDNN(run());
  EXPECT_EQ(y.Values()[0], 0x4000);
  CHECK_CUDNN(cudnnSetConvolutionMathType(convolution_, CUDNN_FMA_MATH));
  EXPECT_EQ(CUDNN_STATUS_CATEGORY(run()), CUDNN_STATUS_NOT_SUPPORTED);
}

TEST_F(CudnnTest, RefusesWhatDoesNotFit) {
  Case a = kCases[0];
  Describe(a);
  size_t bytes = 0;
  const auto ask = [&] {
    return CUDNN_STATUS_CATEGORY(cudnnGetConvolutionForwardWorkspaceSize(
        handle_, x_, w_, convolution_, y_, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, &bytes));
  };
  EXPECT_EQ(ask(), CUDNN_STATUS_SUCCESS);
  CHECK_CUDNN(cudnnSetTensor4dDescriptor(y_, a.format, CUDNN_DATA_FLOAT, a.n, a.k, a.out_h() + 1, a.out_w()));
  EXPECT_EQ(ask(), CUDNN_STATUS_BAD_PARAM);
  Describe(a);
  CHECK_CUDNN(cudnnSetTensor4dDescriptor(x_, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, a.n, a.c, a.h, a.w));
  EXPECT_EQ(ask(), CUDNN_STATUS_NOT_SUPPORTED) << "the filter is NHWC";
  EXPECT_EQ(cudnnSetTensor4dDescriptor(x_, a.format, CUDNN_DATA_FLOAT, 0, a.c, a.h, a.w), CUDNN_STATUS_BAD_PARAM);
}

TEST_F(CudnnTest, BiasAndItsGradient) {
  const Case& a = kCases[0];
  Describe(a);
  const std::vector<float> y = Random(a.n * a.k * a.out_h() * a.out_w(), 4), b = Random(a.k, 5);
  std::vector<double> sum(y.begin(), y.end()), gradient(a.k, 0.0);
  for (size_t i = 0; i < y.size(); ++i) {
    sum[i] += b[i % a.k];
    gradient[i % a.k] += y[i];
  }
  Array<float> device_y(y), device_b(b), device_gradient(a.k);
  CHECK_CUDNN(cudnnConvolutionBackwardBias(handle_, &one_, y_, device_y.data(), &zero_, b_, device_gradient.data()));
  CHECK_CUDNN(cudnnAddTensor(handle_, &one_, b_, device_b.data(), &one_, y_, device_y.data()));
  ExpectNear(device_gradient.Values(), gradient, 1e-4);
  ExpectNear(device_y.Values(), sum, 1e-6);
}

TEST_F(CudnnTest, IsFastEnoughForLeNet) {
  const Case a{128, 20, 12, 12, 50, 5, 5, 1, 0, 1, 1, CUDNN_TENSOR_NHWC};
  Describe(a);
  Array<float> x(Random(a.n * a.c * a.h * a.w, 1)), w(Random(a.k * a.c * a.r * a.s, 2));
  Array<float> y(a.n * a.k * a.out_h() * a.out_w());
  CHECK_CUDNN(cudnnConvolutionForward(handle_, &one_, x_, x.data(), w_, w.data(), convolution_,
                                      CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, nullptr, 0, &zero_, y_, y.data()));
  CHECK_CUDNN(cudnnConvolutionBackwardData(handle_, &one_, w_, w.data(), y_, y.data(), convolution_,
                                           CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, nullptr, 0, &zero_, x_, x.data()));
  CHECK_CUDNN(cudnnConvolutionBackwardFilter(handle_, &one_, x_, x.data(), y_, y.data(), convolution_,
                                             CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, nullptr, 0, &zero_, w_, w.data()));
  const auto begin = std::chrono::steady_clock::now();
  CHECK_CUDA(cudaStreamSynchronize(stream_));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  RecordProperty("seconds", std::to_string(seconds.count()));
  EXPECT_LT(seconds.count(), 30.0) << "on any machine";
}

TEST_F(CudnnTest, IsFoundByName) {
  void* library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  EXPECT_EQ(dlsym(library, "cudnnConvolutionForward"), reinterpret_cast<void*>(&cudnnConvolutionForward));
  EXPECT_EQ(dlsym(library, "cudnnNoSuchFunction"), nullptr);
  EXPECT_EQ(cudnnGetVersion(), static_cast<size_t>(CUDNN_VERSION));
}

}  // namespace
}  // namespace cuda_emulator
