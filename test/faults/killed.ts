/** The program, killed at one of its calls that change files below a folder, as a lost machine would be. */
import { isAt, keepBefore, watchDisk } from "./disk.ts";

const { ETL_KILL_ROOT: root = "/nowhere", ETL_KILL_AT: at = "", ETL_KILL_KEEP: keep } = process.env;
watchDisk(root, (n, call, path) => {
  if (keep !== undefined) keepBefore(root, keep, { n, call, path });
  else if (String(n) === at || isAt(at, root, { call, path })) process.kill(process.pid, "SIGKILL");
  return undefined;
});
await import("../../bin/etl.ts");
