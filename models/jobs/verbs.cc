#include "models/deploy/frozen_network.h"
#include "models/deploy/onnx_writer.h"
#include "models/deploy/prune.h"
#include "models/jobs/jobs.h"
#include "models/jobs/session.h"
#include "models/jobs/version.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate::jobs {

namespace {

std::string OneALine(const std::vector<int32_t>& predictions) {
  std::string text;
  for (int32_t prediction : predictions) text += std::to_string(prediction) + "\n";
  return text;
}

}  // namespace

EvaluateResult Evaluate(const EvaluateOptions& options) {
  const Session session = OpenSession(options.checkpoint, options.machine);
  const bool write = !options.predictions_file.empty();
  if (write) CheckDistinct(options.checkpoint, options.predictions_file);
  if (write) CheckWritable(options.predictions_file);
  EvaluationOptions evaluation;
  evaluation.batch_size = options.batch_size > 0 ? options.batch_size : session.config.evaluation().batch_size();
  evaluation.predictions = options.predictions || write;
  evaluation.progress = options.progress;
  EvaluateResult result;
  const Dataset test = OpenData(options.data, Split::kTest, session.network->graph());
  result.evaluation = bitgate::Evaluate(*session.network, test, evaluation);
  if (write) WriteFileAtomically(options.predictions_file, OneALine(result.evaluation.predictions));
  result.bits = ReportOf(*session.network);
  result.frozen = session.network->frozen();
  return result;
}

FreezeResult Freeze(const FreezeOptions& options) {
  const Session session = OpenSession(options.checkpoint, options.machine);
  if (session.network->frozen()) {
    throw FailedPrecondition(options.checkpoint,
                             ": freezing expects a checkpoint whose gates still learn, got one that ",
                             "is frozen already");
  }
  CheckDistinct(options.checkpoint, options.output);
  CheckWritable(options.output);
  FreezeResult result;
  result.report = session.network->Freeze();
  result.bits = ReportOf(*session.network);
  WriteCheckpoint(options.output, CaptureNetwork(*session.network, session.checkpoint.configuration));
  return result;
}

ExportResult Export(const ExportOptions& options) {
  const Session session = OpenSession(options.checkpoint, options.machine);
  RequireFrozen(session, "export");
  CheckDistinct(options.checkpoint, options.onnx);
  CheckWritable(options.onnx);
  ExportResult result;
  OnnxMetadata metadata;
  metadata.producer_version = kVersion;
  metadata.recipe = session.checkpoint.configuration;
  const FrozenNetwork frozen = RemovePrunedChannels(ReadFrozenNetwork(*session.network), &result.warnings);
  WriteOnnx(frozen, metadata, options.onnx, &result.warnings);
  result.bits = ReportOf(*session.network);
  return result;
}

BitsResult Bits(const std::string& checkpoint, const Machine& machine) {
  const Session session = OpenSession(checkpoint, machine);
  return {ReportOf(*session.network), session.network->frozen()};
}

Config ReadConfig(const std::string& checkpoint) { return ConfigOf(ReadCheckpoint(checkpoint)); }

}  // namespace bitgate::jobs
