#include "api/c/handles.h"
#include "runtime/device/compute.h"
#include "runtime/device/device.h"

using bitgate::api::Hold;
using bitgate::api::Session;
using bitgate::c::Guard;
using bitgate::c::Keep;
using bitgate::c::Require;

bg_status bg_context_create(const char* device, bg_context** out) {
  return Guard([&] {
    Require("bg_context_create", "out", out);
    const bitgate::Device parsed = device == nullptr ? bitgate::Device{} : bitgate::ParseDevice(device);
    *out = new bg_context{std::make_shared<Session>(parsed)};
  });
}

void bg_context_free(bg_context* context) { bitgate::c::Free(context); }

bg_status bg_context_device(bg_context* context, const char** device) {
  return Guard([&] {
    const std::shared_ptr<Session> session = Require("bg_context_device", "context", context).session;
    const Hold hold("bg_context_device", {&session->exclusive});
    Require("bg_context_device", "device", device) = Keep(ToString(session->context().device()));
  });
}

bg_status bg_context_device_name(bg_context* context, const char** name) {
  return Guard([&] {
    const std::shared_ptr<Session> session = Require("bg_context_device_name", "context", context).session;
    const Hold hold("bg_context_device_name", {&session->exclusive});
    Require("bg_context_device_name", "name", name) = Keep(session->context().backend().device_name());
  });
}

bg_status bg_context_set_compute(bg_context* context, const char* compute) {
  return Guard([&] {
    const std::shared_ptr<Session> session = Require("bg_context_set_compute", "context", context).session;
    const Hold hold("bg_context_set_compute", {&session->exclusive});
    Require("bg_context_set_compute", "compute", compute);
    session->context().set_compute(bitgate::ParseCompute(compute));
  });
}

bg_status bg_context_compute(bg_context* context, const char** compute) {
  return Guard([&] {
    const std::shared_ptr<Session> session = Require("bg_context_compute", "context", context).session;
    const Hold hold("bg_context_compute", {&session->exclusive});
    Require("bg_context_compute", "compute", compute) = Keep(ToString(session->context().compute()));
  });
}

bg_status bg_context_set_recording(bg_context* context, int32_t recording) {
  return Guard([&] {
    const std::shared_ptr<Session> session = Require("bg_context_set_recording", "context", context).session;
    const Hold hold("bg_context_set_recording", {&session->exclusive});
    session->set_recording(recording != 0);
  });
}

bg_status bg_backward(bg_context* context, bg_tensor* loss) {
  return Guard([&] {
    const std::shared_ptr<Session> session = Require("bg_backward", "context", context).session;
    const bitgate::api::VariablePtr variable = Require("bg_backward", "loss", loss).variable;
    const Hold hold("bg_backward", {&session->exclusive, &variable->exclusive});
    // Their handles are no arguments, but another thread may have them; Backward forgets them, so they are kept here.
    const std::vector<bitgate::api::VariablePtr> leaves = session->Leaves();
    std::vector<bitgate::api::Exclusive*> written;
    for (const bitgate::api::VariablePtr& leaf : leaves) {
      if (leaf != variable) written.push_back(&leaf->exclusive);
    }
    const Hold hold_leaves("bg_backward", written);
    session->Backward(*variable);
  });
}
