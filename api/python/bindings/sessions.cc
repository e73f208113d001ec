#include "api/python/bindings/sessions.h"

#include <memory>
#include <vector>

#include "runtime/device/compute.h"

namespace bitgate::python {
namespace {

struct ThreadSessions {
  bool recording = true;
  std::vector<std::unique_ptr<api::Session>> sessions;

  ~ThreadSessions() {
    if (!api::IsForkedChild()) return;
    for (std::unique_ptr<api::Session>& session : sessions) static_cast<void>(session.release());
  }
};

ThreadSessions& Mine() {
  thread_local ThreadSessions mine;
  return mine;
}

}  // namespace

api::Session& SessionOn(Device device) {
  ThreadSessions& mine = Mine();
  for (const std::unique_ptr<api::Session>& session : mine.sessions) {
    if (session->context().device() == device) return *session;
  }
  mine.sessions.push_back(std::make_unique<api::Session>(device));
  mine.sessions.back()->set_recording(mine.recording);
  return *mine.sessions.back();
}

void SetCompute(const std::string& compute, const std::string& device) {
  const Entry entry;
  const Compute parsed = ParseCompute(compute);
  SessionOn(ParseDevice(device)).context().set_compute(parsed);
}

std::string GetCompute(const std::string& device) {
  const Entry entry;
  return ToString(SessionOn(ParseDevice(device)).context().compute());
}

bool SetRecording(bool recording) {
  ThreadSessions& mine = Mine();
  const bool before = mine.recording;
  mine.recording = recording;
  for (const std::unique_ptr<api::Session>& session : mine.sessions) session->set_recording(recording);
  return before;
}

bool IsRecording() { return Mine().recording; }

}  // namespace bitgate::python
