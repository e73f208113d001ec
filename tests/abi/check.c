#include "tests/abi/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kMostCases = 128 };

static struct {
  const char* name;
  const char* skipped; /* why; NULL: it ran */
  int failures;
} cases[kMostCases];
static int case_count;
static int failures; /* of the case that runs */
static const char* only;
static char folder[512];

/* What is asked for is refused by the library; where the sanitizer would end the program, it is to be told no too. */
const char* __asan_default_options(void);
const char* __asan_default_options(void) { return "allocator_may_return_null=1"; }

void check_begin(int argc, char** argv) {
  const char* temporary = getenv("TEST_TMPDIR");
  if (argc > 1) only = argv[1];
  setvbuf(stdout, NULL, _IOLBF, 0); /* a forked child must not have lines of ours to print again */
  snprintf(folder, sizeof folder, "%s/bitgate_XXXXXX", temporary != NULL ? temporary : "/tmp");
  if (mkdtemp(folder) == NULL) {
    perror(folder);
    exit(1);
  }
}

void check_run(const char* name, check_case run) {
  if (only != NULL && strcmp(only, name) != 0) return;
  if (case_count == kMostCases) abort();
  failures = 0;
  run();
  printf("%s %s\n", failures == 0 ? "ok    " : "FAILED", name);
  cases[case_count].name = name;
  cases[case_count++].failures = failures;
}

void check_skip(const char* name, const char* reason) {
  if (only != NULL && strcmp(only, name) != 0) return;
  if (case_count == kMostCases) abort();
  printf("SKIPPED: %s: %s\n", name, reason);
  cases[case_count].name = name;
  cases[case_count++].skipped = reason;
}

/* As GoogleTest writes it, so that cases are counted alike. */
static void write_report(int failed) {
  const char* path = getenv("XML_OUTPUT_FILE");
  FILE* file = path != NULL ? fopen(path, "w") : NULL;
  if (file == NULL) return;
  fprintf(file, "<testsuites><testsuite name=\"c\" tests=\"%d\" failures=\"%d\">\n", case_count, failed);
  for (int i = 0; i < case_count; ++i) {
    fprintf(file, "<testcase name=\"%s\">%s</testcase>\n", cases[i].name,
            cases[i].skipped != NULL ? "<skipped/>"
            : cases[i].failures != 0 ? "<failure message=\"see the log\"/>"
                                     : "");
  }
  fprintf(file, "</testsuite></testsuites>\n");
  fclose(file);
}

int check_finish(void) {
  int failed = 0;
  for (int i = 0; i < case_count; ++i) failed += cases[i].failures != 0;
  write_report(failed);
  printf("%d of %d cases failed\n", failed, case_count);
  return failed == 0 && case_count > 0 ? 0 : 1;
}

void check_fail(const char* file, int line, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("%s:%d: ", file, line);
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
  ++failures;
}

int check_true(const char* file, int line, int condition, const char* text) {
  if (!condition) check_fail(file, line, "expected %s", text);
  return condition;
}

int check_near(const char* file, int line, double expected, double got, double tolerance, const char* text) {
  if (fabs(expected - got) <= tolerance) return 1;
  check_fail(file, line, "%s: expected %.9g, got %.9g", text, expected, got);
  return 0;
}

int check_ok(const char* file, int line, bg_status status, const char* call) {
  if (status == BG_STATUS_OK) return 1;
  check_fail(file, line, "%s: %s: %s", call, bg_status_name(status), bg_last_error_message());
  return 0;
}

int check_status(const char* file, int line, bg_status expected, const char* part, bg_status status, const char* call) {
  const char* message = bg_last_error_message();
  if (status == expected && strstr(message, part) != NULL) return 1;
  check_fail(file, line, "%s: expected %s with \"%s\", got %s: %s", call, bg_status_name(expected), part,
             bg_status_name(status), status == BG_STATUS_OK ? "" : message);
  return 0;
}

int check_same_file(const char* file, int line, const char* a, const char* b) {
  size_t a_size = 0, b_size = 0;
  char *a_bytes = check_read_file(a, &a_size), *b_bytes = check_read_file(b, &b_size);
  const int same = a_bytes != NULL && b_bytes != NULL && a_size == b_size && memcmp(a_bytes, b_bytes, a_size) == 0;
  if (!same) check_fail(file, line, "expected %s and %s with equal bytes, of %zu and %zu", a, b, a_size, b_size);
  free(a_bytes);
  free(b_bytes);
  return same;
}

const char* check_path(const char* name) {
  static char paths[64][640];
  static int count;
  if (count == 64) abort();
  snprintf(paths[count], sizeof paths[count], "%s/%s", folder, name);
  return paths[count++];
}

char* check_read_file(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  char* bytes;
  long length;
  if (file == NULL) return NULL;
  fseek(file, 0, SEEK_END);
  length = ftell(file);
  rewind(file);
  bytes = malloc((size_t)length + 1);
  *size = fread(bytes, 1, (size_t)length, file);
  bytes[*size] = 0;
  fclose(file);
  return bytes;
}

void check_write_file(const char* path, const void* data, size_t size) {
  FILE* file = fopen(path, "wb");
  if (file == NULL || fwrite(data, 1, size, file) != size) abort();
  fclose(file);
}
