#include "models/deploy/deploy_kind.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/graph/layer_kind.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

using testing::HasSubstr;

TEST(DeployKind, EveryKindOfLayerCanBeDeployed) { EXPECT_EQ(DeployKindNames(), LayerKindNames()); }

TEST(DeployKind, UnknownKindIsNamed) {
  try {
    FindDeployKind("lstm");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("got 'lstm'"));
  }
}

}  // namespace
}  // namespace bitgate
