/** The program run in this process: quicker than one of its own, for calls that end soon. */
import { main } from "../../bin/main.ts";

export interface Captured {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program and keeps what it writes. */
export async function capture(argv: readonly string[]): Promise<Captured> {
  const said = { stdout: "", stderr: "" };
  const kept = {
    log: console.log,
    stdout: process.stdout.write.bind(process.stdout),
    stderr: process.stderr.write.bind(process.stderr),
  };
  const into = (stream: "stdout" | "stderr") => (text: string | Uint8Array) => {
    said[stream] += typeof text === "string" ? text : Buffer.from(text).toString();
    return true;
  };
  console.log = (...parts: unknown[]) => void (said.stdout += `${parts.join(" ")}\n`);
  process.stdout.write = into("stdout");
  process.stderr.write = into("stderr");
  try {
    return { code: await main(argv), ...said };
  } finally {
    console.log = kept.log;
    process.stdout.write = kept.stdout;
    process.stderr.write = kept.stderr;
  }
}
