// Some tests run onnxruntime themselves, before the program does: its telemetry is off for them, too.
process.env.ORT_DISABLE_TELEMETRY ??= "1";
