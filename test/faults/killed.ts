/** The program, killed at one of its calls that change files below a folder, as a lost machine would be. */
import { watchDisk } from "./disk.ts";

const [root, at] = [process.env["ETL_KILL_ROOT"] ?? "/nowhere", Number(process.env["ETL_KILL_AT"])];
watchDisk(root, (n) => {
  if (n === at) process.kill(process.pid, "SIGKILL");
  return undefined;
});
await import("../../bin/etl.ts");
