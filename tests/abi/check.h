/* How the C programs of this folder test: cases that go on after a failed check, each one a case of the test report. */
#ifndef BITGATE_TESTS_ABI_CHECK_H_
#define BITGATE_TESTS_ABI_CHECK_H_

#include <stddef.h>
#include <stdint.h>

#include "api/c/bitgate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*check_case)(void);

/* Runs one case and remembers how it went. A name on the command line runs that case alone. */
void check_run(const char* name, check_case run);
/* A case that does not run, and why. */
void check_skip(const char* name, const char* reason);
/* Writes the report; what main returns. */
int check_finish(void);
void check_begin(int argc, char** argv);

void check_fail(const char* file, int line, const char* format, ...) __attribute__((format(printf, 3, 4)));
int check_true(const char* file, int line, int condition, const char* text);
int check_near(const char* file, int line, double expected, double got, double tolerance, const char* text);
int check_ok(const char* file, int line, bg_status status, const char* call);
/* The status, and a message that contains `part`. */
int check_status(const char* file, int line, bg_status expected, const char* part, bg_status status, const char* call);
/* The files are there and have the same bytes. */
int check_same_file(const char* file, int line, const char* a, const char* b);

#define CHECK(condition) check_true(__FILE__, __LINE__, (condition) != 0, #condition)
#define CHECK_NEAR(expected, got, tolerance) check_near(__FILE__, __LINE__, expected, got, tolerance, #got)
#define CHECK_OK(call) check_ok(__FILE__, __LINE__, call, #call)
#define CHECK_STATUS(status, part, call) check_status(__FILE__, __LINE__, status, part, call, #call)
#define CHECK_INVALID(part, call) CHECK_STATUS(BG_STATUS_INVALID_ARGUMENT, part, call)
#define CHECK_SAME_FILE(a, b) check_same_file(__FILE__, __LINE__, a, b)
#define RUN(test) check_run(#test, test)

/* A path in a folder of the test's own; kept until the program ends. */
const char* check_path(const char* name);
/* All bytes of a file, to be freed; NULL if it is not there. */
char* check_read_file(const char* path, size_t* size);
void check_write_file(const char* path, const void* data, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* BITGATE_TESTS_ABI_CHECK_H_ */
