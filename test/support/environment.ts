// Some tests run onnxruntime themselves, before the program does: its telemetry is off for them, too.
import { speak } from "../../lib/core/voice.ts";

process.env.ORT_DISABLE_TELEMETRY ??= "1";

// Messages name options as the program does; test/library looks at the words of the library's callers.
speak("flags");
