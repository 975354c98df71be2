/*
 * The peer of test/bench/native.ts: onnxruntime's C API without anything between, on the library of the npm package.
 *
 *     native MODEL BATCH CHANNELS HEIGHT WIDTH OUTPUTS INPUT_NAME OUTPUT_NAME THREADS SPIN
 *
 * Says hello, then for every line N on stdin runs N batches and prints {"wall": [ms, ...], "cpu": ms}. SPIN 0 lets
 * threads wait as ours do, SPIN 1 is onnxruntime's default.
 *
 * The package ships no header. OrtApi is a table of functions that only grows at its end, so the few that are needed are
 * called by their place in it; 1 is the version of the table that has them all but the last, 6 the one that has it too.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void *Handle;
typedef Handle Status;
typedef struct {
  void *(*get_api)(uint32_t version);
  const char *(*get_version)(void);
} ApiBase;
extern const ApiBase *OrtGetApiBase(void);

enum {
  ERROR_MESSAGE = 2,
  CREATE_ENV = 3,
  CREATE_SESSION = 7,
  RUN = 9,
  CREATE_SESSION_OPTIONS = 10,
  SET_OPTIMIZATION = 23,
  SET_INTRA_THREADS = 24,
  CREATE_TENSOR = 49,
  CREATE_CPU_MEMORY_INFO = 69,
  ADD_CONFIG_ENTRY = 130
};
enum { LOG_FATAL = 4, OPTIMIZE_ALL = 99, FLOAT = 1, ARENA = 1, DEFAULT_MEMORY = 0 };

static void **api;
#define CALL(place, types, ...) check(((Status(*) types)api[place])(__VA_ARGS__))

static void check(Status status) {
  if (status == NULL) return;
  fprintf(stderr, "native: %s\n", ((const char *(*)(Status))api[ERROR_MESSAGE])(status));
  exit(1);
}

static double now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static Handle tensor(Handle memory, const int64_t *shape, size_t rank) {
  size_t count = 1;
  for (size_t i = 0; i < rank; i++) count *= (size_t)shape[i];
  float *data = malloc(count * sizeof(float));
  uint32_t state = 1;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    data[i] = (float)(state >> 8) / (1 << 23) - 1.0f;
  }
  Handle value = NULL;
  CALL(CREATE_TENSOR, (Handle, void *, size_t, const int64_t *, size_t, int, Handle *), memory, data,
       count * sizeof(float), shape, rank, FLOAT, &value);
  return value;
}

int main(int argc, char **argv) {
  if (argc != 11) return 2;
  const char *model = argv[1], *input_name = argv[7], *output_name = argv[8];
  const int64_t input_shape[4] = {atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5])};
  const int64_t output_shape[2] = {atoi(argv[2]), atoi(argv[6])};
  api = OrtGetApiBase()->get_api(6);
  Handle env, options, session, memory;
  CALL(CREATE_ENV, (int, const char *, Handle *), LOG_FATAL, "native", &env);
  CALL(CREATE_SESSION_OPTIONS, (Handle *), &options);
  CALL(SET_OPTIMIZATION, (Handle, int), options, OPTIMIZE_ALL);
  CALL(SET_INTRA_THREADS, (Handle, int), options, atoi(argv[9]));
  CALL(ADD_CONFIG_ENTRY, (Handle, const char *, const char *), options, "session.intra_op.allow_spinning", argv[10]);
  CALL(CREATE_SESSION, (Handle, const char *, Handle, Handle *), env, model, options, &session);
  CALL(CREATE_CPU_MEMORY_INFO, (int, int, Handle *), ARENA, DEFAULT_MEMORY, &memory);
  Handle input = tensor(memory, input_shape, 4), output = tensor(memory, output_shape, 2);
  printf("{\"onnxruntime\": \"%s\"}\n", OrtGetApiBase()->get_version());
  fflush(stdout);
  int count;
  while (scanf("%d", &count) == 1) {
    double before = now(CLOCK_PROCESS_CPUTIME_ID);
    printf("{\"wall\": [");
    for (int i = 0; i < count; i++) {
      double start = now(CLOCK_MONOTONIC);
      CALL(RUN,
           (Handle, Handle, const char *const *, const Handle *, size_t, const char *const *, size_t, Handle *),
           session, NULL, &input_name, &input, 1, &output_name, 1, &output);
      printf("%s%.4f", i == 0 ? "" : ", ", now(CLOCK_MONOTONIC) - start);
    }
    printf("], \"cpu\": %.4f}\n", now(CLOCK_PROCESS_CPUTIME_ID) - before);
    fflush(stdout);
  }
  return 0;
}
