/** The `etl` of the shell blocks: the program itself, its calls made small. ETL_DOCS_BACKBONE names the backbone. */
import { main } from "../../../bin/main.ts";
import { smallArguments } from "./small.ts";

process.exitCode = await main(
  smallArguments(process.argv.slice(2), process.env["ETL_DOCS_BACKBONE"] ?? "face-resnet"),
);
