// The first complaint of protobuf's text parser: what follows it is often its consequence.
#ifndef BITGATE_MODELS_GRAPH_FIRST_ERROR_H_
#define BITGATE_MODELS_GRAPH_FIRST_ERROR_H_

#include <string>

#include "google/protobuf/io/tokenizer.h"

namespace bitgate {

// For TextFormat::Parser::RecordErrorsTo.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (!text_.empty()) return;
    place_ = std::to_string(line + 1) + ":" + std::to_string(column + 1);
    text_ = message;
  }
  const std::string& place() const { return place_; }  // "<line>:<column>", from 1
  const std::string& text() const { return text_; }

 private:
  std::string place_, text_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_FIRST_ERROR_H_
