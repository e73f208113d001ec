#include "api/c/handles.h"

namespace bitgate::c {
namespace {

bg_bit_row RowOf(const BitReportRow& row) {
  bg_bit_row result{};
  result.weight_bits = row.weight_bits.value_or(-1);
  result.activation_bits = row.activation_bits.value_or(-1);
  result.has_weight = row.has_weight ? 1 : 0;
  result.layer = row.layer.c_str();
  result.kind = row.kind.c_str();
  result.kept_channels = row.kept_channels;
  result.channels = row.channels;
  result.macs = row.macs;
  result.bops = row.bops;
  result.bops_share = row.bops_share;
  result.bytes = row.bytes;
  return result;
}

bg_bit_totals TotalsOf(const BitReport& report) {
  bg_bit_totals totals{};
  totals.rows = static_cast<int32_t>(report.rows.size());
  totals.kept_channels = report.kept_channels;
  totals.channels = report.channels;
  totals.macs = report.macs;
  totals.bops = report.bops;
  totals.relative_bops = report.relative_bops;
  totals.bytes = report.bytes;
  totals.float_bytes = report.float_bytes;
  totals.weight_compression = report.weight_compression;
  return totals;
}

bg_frozen_site SiteOf(const FrozenSite& site) {
  bg_frozen_site result{};
  result.bits = site.bits;
  result.name = site.name.c_str();
  result.kept_channels = site.kept_channels;
  result.channels = site.channels;
  result.changed_codes = site.changed_codes;
  result.codes = site.codes;
  return result;
}

bg_requantized_tensor TensorOf(const RequantizedTensor& tensor) {
  bg_requantized_tensor result{};
  result.bits_before = tensor.bits_before;
  result.bits = tensor.bits;
  result.name = tensor.name.c_str();
  return result;
}

}  // namespace
}  // namespace bitgate::c

using bitgate::c::CheckedIndex;
using bitgate::c::CheckStructSize;
using bitgate::c::Guard;
using bitgate::c::Require;
using bitgate::c::WriteStruct;

void bg_bit_report_free(bg_bit_report* report) { bitgate::c::Free(report); }

bg_status bg_bit_report_totals(bg_bit_report* report, bg_bit_totals* totals) {
  return Guard([&] {
    constexpr char kName[] = "bg_bit_report_totals";
    Require(kName, "report", report);
    CheckStructSize(kName, "totals", Require(kName, "totals", totals));
    WriteStruct(bitgate::c::TotalsOf(report->report), totals);
  });
}

bg_status bg_bit_report_row(bg_bit_report* report, int32_t index, bg_bit_row* row) {
  return Guard([&] {
    constexpr char kName[] = "bg_bit_report_row";
    Require(kName, "report", report);
    CheckStructSize(kName, "row", Require(kName, "row", row));
    WriteStruct(bitgate::c::RowOf(report->report.rows[CheckedIndex(kName, index, report->report.rows.size())]), row);
  });
}

bg_status bg_bit_report_text(bg_bit_report* report, const char** text) {
  return Guard([&] {
    const std::string& kept = Require("bg_bit_report_text", "report", report).text;
    Require("bg_bit_report_text", "text", text) = kept.c_str();
  });
}

bg_status bg_bit_report_json(bg_bit_report* report, const char** json) {
  return Guard([&] {
    const std::string& kept = Require("bg_bit_report_json", "report", report).json;
    Require("bg_bit_report_json", "json", json) = kept.c_str();
  });
}

void bg_freeze_report_free(bg_freeze_report* report) { bitgate::c::Free(report); }

bg_status bg_freeze_report_site_count(bg_freeze_report* report, int32_t* count) {
  return Guard([&] {
    const auto& sites = Require("bg_freeze_report_site_count", "report", report).report.sites;
    Require("bg_freeze_report_site_count", "count", count) = static_cast<int32_t>(sites.size());
  });
}

bg_status bg_freeze_report_site(bg_freeze_report* report, int32_t index, bg_frozen_site* site) {
  return Guard([&] {
    constexpr char kName[] = "bg_freeze_report_site";
    const auto& sites = Require(kName, "report", report).report.sites;
    CheckStructSize(kName, "site", Require(kName, "site", site));
    WriteStruct(bitgate::c::SiteOf(sites[CheckedIndex(kName, index, sites.size())]), site);
  });
}

bg_status bg_freeze_report_note_count(bg_freeze_report* report, int32_t* count) {
  return Guard([&] {
    const auto& notes = Require("bg_freeze_report_note_count", "report", report).report.notes;
    Require("bg_freeze_report_note_count", "count", count) = static_cast<int32_t>(notes.size());
  });
}

bg_status bg_freeze_report_note(bg_freeze_report* report, int32_t index, const char** note) {
  return Guard([&] {
    constexpr char kName[] = "bg_freeze_report_note";
    const auto& notes = Require(kName, "report", report).report.notes;
    Require(kName, "note", note);
    *note = notes[CheckedIndex(kName, index, notes.size())].c_str();
  });
}

void bg_requantize_report_free(bg_requantize_report* report) { bitgate::c::Free(report); }

bg_status bg_requantize_report_tensor_count(bg_requantize_report* report, int32_t* count) {
  return Guard([&] {
    const auto& tensors = Require("bg_requantize_report_tensor_count", "report", report).report.tensors;
    Require("bg_requantize_report_tensor_count", "count", count) = static_cast<int32_t>(tensors.size());
  });
}

bg_status bg_requantize_report_tensor(bg_requantize_report* report, int32_t index, bg_requantized_tensor* tensor) {
  return Guard([&] {
    constexpr char kName[] = "bg_requantize_report_tensor";
    const auto& tensors = Require(kName, "report", report).report.tensors;
    CheckStructSize(kName, "tensor", Require(kName, "tensor", tensor));
    WriteStruct(bitgate::c::TensorOf(tensors[CheckedIndex(kName, index, tensors.size())]), tensor);
  });
}

bg_status bg_requantize_report_warning_count(bg_requantize_report* report, int32_t* count) {
  return Guard([&] {
    const auto& warnings = Require("bg_requantize_report_warning_count", "report", report).report.warnings;
    Require("bg_requantize_report_warning_count", "count", count) = static_cast<int32_t>(warnings.size());
  });
}

bg_status bg_requantize_report_warning(bg_requantize_report* report, int32_t index, const char** warning) {
  return Guard([&] {
    constexpr char kName[] = "bg_requantize_report_warning";
    const auto& warnings = Require(kName, "report", report).report.warnings;
    Require(kName, "warning", warning);
    *warning = warnings[CheckedIndex(kName, index, warnings.size())].c_str();
  });
}
