import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commands } from "../../bin/commands.ts";
import { isSwitch } from "../../bin/call.ts";
import { capture } from "../support/program.ts";

/** A call that goes wrong, a part of what it says, a part of the hint. */
type Case = readonly [call: string, message: string, hint?: string];

const run = "--task gender --data synthetic --out x";

const cases: readonly Case[] = [
  // Commands.
  ["prnue", 'unknown command "prnue"', "etl prune?"],
  ["prun --task gender", 'unknown command "prun"', "etl prune?"],
  ["--seed 3 prnue", 'unknown command "prnue"', "etl prune?"],
  ["exprot runs/a", 'unknown command "exprot"', "etl export?"],
  ["help prnue", 'unknown command "prnue"', "etl prune?"],
  ["hlep", 'unknown command "hlep"', "etl help?"],
  ["xyzzyxyzzy", "unknown command", "etl --help lists"],
  ["--hlep", "unknown option --hlep", "--help?"],
  ["-v", "unknown option -v", "--version?"],
  ["-V", "unknown option -V", "--version?"],
  ["doctor -v", "unknown option -v", "--verbose?"],
  // Words of other programs.
  ["version", 'unknown command "version"', "etl --version?"],
  ["serve runs/a", 'unknown command "serve"', "etl demo?"],
  ["infer runs/a x.jpg", 'unknown command "infer"', "etl predict?"],
  ["ls", 'unknown command "ls"', "etl backbones?"],
  ["completion fish", 'etl completion: "fish", bash or zsh'],
  ["cut a.onnx --sparsity 0.5 --out x.onnx", "unknown option --sparsity", "--keep (the share that stays)?"],
  ["cut a.onnx --keep 0.5 --criterion magnitude --out x.onnx", '"magnitude"', "did you mean l1?"],
  ["predict runs/a --image x.jpg", "unknown option --image", "without an option: etl predict"],
  ["profile -m runs/a", "unknown option -m", "without an option: etl profile"],
  [
    "quantize a.onnx --pictures 3 --data b --out c.onnx",
    "unknown option --pictures",
    "etl help quantize lists",
  ],
  [
    "train --backbone a.onnx --task gender --data b --out c",
    '"a.onnx", one of',
    "etl prune --backbone a.onnx",
  ],
  ["--json", "no command"],
  // Unknown options, named before what is missing.
  ["prune --taks gender --data synthetic --out x", "etl prune: unknown option --taks", "--task?"],
  ["prune --gama 0.1", "etl prune: unknown option --gama", "--gamma?"],
  [`prune ${run} --gama=0.1`, "etl prune: unknown option --gama", "--gamma?"],
  [`prune ${run} --Gamma 0.1`, "unknown option --Gamma", "--gamma?"],
  [`prune ${run} --no-refti`, "unknown option --no-refti", "--no-refit?"],
  [`prune ${run} --target-flop 0.3`, "unknown option --target-flop", "--target-flops?"],
  [`prune ${run} --jsno`, "unknown option --jsno", "--json?"],
  ["prune -task gender", "unknown option -task", "--task?"],
  ["prune --zzzzzzzzzzzzzzzz", "unknown option --zzzzzzzzzzzzzzzz", "etl help prune lists them"],
  ["sweep --task gender --data synthetic --out x", "unknown option --task", "--tasks?"],
  ["sweep --tasks gender --data synthetic --out x --gamma 0.1", "unknown option --gamma", "--gammas?"],
  ["predict --backbon face-resnet nope.jpg", "unknown option --backbon", "--backbone?"],
  ["verify face-resnet --pair nope.csv", "unknown option --pair", "--pairs?"],
  ["profile face-resnet --run 5", "unknown option --run", "--runs?"],
  ["cut face-resnet --keeep 0.5", "unknown option --keeep", "--keep?"],
  ["align a b --siez 150", "unknown option --siez", "--size?"],
  ["train --arhc resnet18", "unknown option --arhc", "--arch?"],
  [`harvest ${run} --gamma 0.1`, "etl harvest: unknown option --gamma"],
  // Values.
  [`prune ${run} --gamma`, "--gamma: nothing after it, a number was needed"],
  [`prune ${run} --gamma --seed 1`, "--gamma: nothing after it, a number was needed"],
  ["prune --task --data synthetic --out x", "--task: nothing after it, a value was needed"],
  ["prune --task= --data synthetic --out x", "--task: nothing after it"],
  [`prune ${run} --gamma abc`, '--gamma: "abc", a number was needed'],
  [`prune ${run} --gamma 0,1`, '--gamma: "0,1", a number was needed'],
  [`prune ${run} --gamma 1.5`, "--gamma: 1.5, a number in [0, 1)"],
  [`prune ${run} --epochs -1`, "--epochs: -1, a whole number"],
  [`prune ${run} --no-gamma`, "--no-gamma: it is no switch"],
  [`prune ${run} --strict=maybe`, '--strict: "maybe", a switch'],
  [`prune ${run} --group-select unoin`, '--group-select: "unoin", one of union', "union?"],
  [`prune ${run} --control l1,randm`, "--control: randm, one of", "random?"],
  [`prune ${run} --engine constructor`, '--engine: "constructor", one of'],
  [`prune ${run} --engine tfj`, '--engine: "tfj", one of', "tfjs?"],
  [`prune ${run} --device gpu`, '--device: "gpu", one of', "cuda?"],
  [`prune ${run} --threads 0`, "--threads: 0, a whole number"],
  [`prune ${run} --threads 1e6`, "--threads: 1000000, a whole number from 1 to 1024 was needed"],
  [`prune ${run} --folds 1e9`, "--folds: 1000000000, a whole number from 2 to 1000 was needed"],
  [
    "sweep --tasks gender --data synthetic --out x --seeds 1e10",
    "--seeds: 10000000000, a whole number from 1",
  ],
  [
    "crossval --backbone mobilenet-v2 --task gender --data synthetic --out x --folds 1e9",
    "--folds: 1000000000, a whole number from 2",
  ],
  [`prune ${run} --threads two`, '--threads: "two", a number'],
  [`prune ${run} --seed 1.5`, "--seed: 1.5, a whole number"],
  [`prune ${run} --crop 1,2,3`, "--crop: 3 numbers, four"],
  [`prune ${run} --crop hole`, '--crop: "hole", x0,y0,x1,y1 or whole or center was needed'],
  [`prune ${run} --target-size 10QB`, '--target-size: "10QB", a number of bytes'],
  [`prune ${run} --round-to eight`, '--round-to: "eight", auto or a number'],
  [`prune ${run} --backbone face-resnt`, "face-resnt", "face-resnet"],
  ["prune --task gendr --data synthetic --out x", "gendr", "gender"],
  ["prune --task gender --data synthetc --out x", "no such file", "synthetic?"],
  ["export face-resnet --out x.onnx --format onxn", '--format: "onxn", one of onnx', "onnx?"],
  [`prune ${run} --gamma ,1`, '--gamma: ",1", a number', "with a point: --gamma 0.1"],
  [`prune ${run} --target-size 150%`, "--target-size: 150%, a share above 0 and up to 100%"],
  ["sweep --tasks gender --data synthetic --out x --seeds 1,2", '--seeds: "1,2", a number was needed'],
  ["sweep --tasks gender --data synthetic --out x --gammas 0.1,10", "--gammas: 10", "did you mean 0.1?"],
  ["cut a.onnx --keep 50 --out x.onnx", "--keep: 50, a share in (0, 1]", "did you mean 0.5?"],
  ["cut a.onnx --target-time 5ms --out x.onnx", '--target-time: "5ms"', "--target-ms 5"],
  ["align a b --size 224x224", '--size: "224x224"', "one side is both: --size 224"],
  ["profile face-resnet --runs 0", "--runs: 0, a whole number of at least 1"],
  ["profile face-resnet --batch 0", "--batch: 0, a whole number of at least 1"],
  // The name of a file where a folder is made, and the reverse.
  [
    "prune --task gender --data synthetic --out a.onnx",
    "--out: a.onnx, the name of a folder",
    "did you mean a?",
  ],
  ["sweep --tasks gender --data synthetic --gammas 0.1 --out a.csv", "--out: a.csv, the name of a folder"],
  ["draw 3 --out a.png", "a.png, the name of a folder was needed"],
  ["export face-resnet --format web --out a.onnx", "a.onnx, the name of a folder was needed"],
  [
    "predict face-resnet .",
    ".: a folder, a picture file was needed",
    "name its pictures, for example ./*.jpg",
  ],
  ["predict face-resnet *.bmp", "*.bmp: no file has a name like this", "the folder and the ending"],
  ["predict face-resnet https://a.org/b.jpg", "an address, a picture file", "nothing is downloaded"],
  ["prune --task gender --data synthetic --out x --backbone runs/nope", '"runs/nope", where nothing is'],
  ["prune --task gender --data synthetic --out x --backbone .", '".", a folder'],
  // An option written in another way.
  ["prune task=gender", '"task=gender" without an option', "--task gender?"],
  ["prune /task gender", '"/task" without an option', "--task?"],
  ["prune -- --task gender", '"--task" without an option', "leave the -- out"],
  ["prune \u2014task gender", "\u2014task: begins with a dash that is no hyphen", "--task?"],
  ["predict runs/a x.jpg \u2013-json", "\u2013-json: begins with a dash", "--json?"],
  // Options that mean nothing for the format.
  [
    "export face-resnet --out x.safetensors --strip",
    "--strip: x.safetensors is written as safetensors",
    "--strip out",
  ],
  ["export face-resnet --out x.safetensors --size 1x1", "--size: x.safetensors is written as safetensors"],
  ["export face-resnet --out x.safetensors --for portable", "one of onnx was needed", "--for out"],
  ["export face-resnet --out x.onnx --precision uint8", "one of web was needed", "--precision out"],
  ["export face-resnet --out x --format web --for onnxruntime", "--for: x is written as web", "--for out"],
  ["export face-resnet --out x.json --for onnxruntime", "--for: x.json is written as tfjs"],
  ["demo runs/nope", "runs/nope: nothing is there"],
  ["demo face-resnet --port 70000", "--port: 70000, a whole number from 0 to 65535"],
  ["demo face-resnet --precision int8", '--precision: "int8", one of float32, float16, uint8', "uint8?"],
  ["evaluate face-resnet --data synthetic --split tset", '--split: "tset"', "test?"],
  ["cut face-resnet --out x.onnx --keep 0.5 --size tall", '--size: "tall"', "360x640"],
  ["train --arch mobilenet-v9 --task gender --data synthetic --out x", '"mobilenet-v9"', "mobilenet-v1?"],
  [`crossval --arch lmtcnn-1-1 ${run} --by persn`, '--by: "persn", one of lists, identity, row'],
  ["sweep --tasks gender --data synthetic --out x --gammas 0,a", '--gammas: "a", a number'],
  ["sweep --tasks gender --data synthetic --out x --ablate scalng=paper", '"scalng"', "scaling?"],
  ["align . out --min-score 5", "--min-score: 5"],
  // Options that mean nothing beside the others.
  ...(
    [
      ["--int8-for this", "a run without --int8 ignores it, --int8 was needed"],
      ["--int8-tolerance 0.5", "a run without --int8 ignores it"],
      ["--round-to 8 --table t.json", "a run with --round-to 8 and without a target of time ignores it"],
      [
        "--target-flops 0.5 --round-to 1 --table t.json",
        "a run with --round-to 1 and without a target of time",
      ],
      ["--no-augment --shift 0.1", "--shift 0.1: --no-augment ignores it, --augment was needed"],
      ["--no-augment --brightness 0.4", "--brightness 0.4: --no-augment ignores it"],
      ["--epochs 0 --distill 4", "--distill 4: --epochs 0 ignores it"],
      [
        "--baseline-epochs 0 --baseline-learning-rate 1e-3",
        "--baseline-learning-rate 0.001: --baseline-epochs 0",
      ],
      [
        "--epochs 0 --baseline-epochs 0 --learning-rate 1e-3",
        "--learning-rate 0.001: a run without any epoch",
      ],
      [
        "--epochs 0 --learning-rate 1e-3 --baseline-learning-rate 1e-4",
        "--learning-rate 0.001: --epochs 0 with --baseline-learning-rate ignores it",
      ],
      ["--epochs 0 --baseline-epochs 0 --zoom 0.1", "--zoom 0.1: a run without any epoch ignores it"],
    ] as const
  ).map(([more, message]): Case => [`prune --task gender --data nope --out x ${more}`, message]),
  ["sweep --tasks gender --data nope --out x --int8-for this", "a run without --int8 ignores it"],
  [
    "sweep --tasks gender=a,age=b --data nope --out x --gammas 0.1",
    "--data nope: a sweep whose tasks have data of their own ignores it, a task without was needed",
  ],
  [
    "prune --task gender=a --data nope --out x",
    "--data nope: a call whose tasks have data of their own ignores it",
  ],
  ...["--positive-weight", "--loss-weights dynamic", "--thresholds adaptive", "--zoom 0.1"].map(
    (more): Case => [
      `train --backbone mobilenet-v1 --task gender --data nope --out x --epochs 0 ${more}`,
      `${more}: --epochs 0 ignores it, an epoch was needed`,
    ],
  ),
  ["verify face-resnet --backbone vggface --pairs nope.csv", "--backbone vggface: face-resnet ignores it"],
  ["sweep --tasks gender --data nope --out x --table t.json", "unknown option --table"],
  [
    "train --arch mobilenet-v1 --task gender --data nope --out x --split 7:2:1 --val-fraction 0.3",
    "--val-fraction 0.3: --split 7:2:1 ignores it",
  ],
  [
    "cut face-resnet --out y.onnx --keep 0.5 --table t.json",
    "--table t.json: a cut without a target of time",
  ],
  ["cut face-resnet --out y.onnx --keep 0.5 --size 128", "--size 128x128: the file says all sizes itself"],
  ["quantize face-resnet --data nope --out y.onnx --no-check --runs 5", "--runs 5: --no-check ignores it"],
  [
    "quantize face-resnet --data nope --out y.onnx --no-check --int8-tolerance 1",
    "--int8-tolerance 1: --no-check",
  ],
  ["bench --backbone face-resnet --out t.json", "--out t.json: a bench without --table ignores it"],
  ["bench --backbone face-resnet --table --rounds 5 --out t.json", "--rounds 5: --table ignores it"],
  ["predict face-resnet x.png --size 128", "--size 128x128: face-resnet takes pictures of 150x150"],
  // Words without an option.
  ["prune gender", '"gender" without an option', "--task gender?"],
  ["prune gender,age", '"gender,age" without an option', "--task gender,age?"],
  ["prune synthetic --task gender", '"synthetic" without an option', "--data synthetic?"],
  ["prune --task gender ~/celeba", '"~/celeba" without an option', "--data ~/celeba?"],
  ["prune --task gender age --data synthetic --out x", '"age" without an option', "--task gender,age"],
  ["prune --task gender;age --data synthetic --out x", '"gender;age"', "with a comma: gender,age"],
  [`prune ${run} --learning-rate 1e-3 1e-4`, '"1e-4" without', "--learning-rate 1e-3,1e-4"],
  [`prune ${run} --target-size 10 MB`, '"MB" without an option', "without the blank: --target-size 10MB"],
  [`prune ${run} --target-flops 30%`, '--target-flops: "30%", a number', "as a share: --target-flops 0.3"],
  [`prune ${run} --target-ms 5ms`, '--target-ms: "5ms"', "without the unit: --target-ms 5"],
  [`prune ${run} --min-accuracy 95`, "--min-accuracy: 95, a number in (0, 1]", "did you mean 0.95?"],
  [`prune ${run} --constructor 1`, "unknown option --constructor"],
  [`prune ${run} --lr 0.1`, "unknown option --lr", "--learning-rate?"],
  [`prune ${run} --batch 8`, "unknown option --batch", "--batch-size?"],
  [`prune ${run} --gpu`, "unknown option --gpu", "--device cuda?"],
  ["prune --model face-resnet --task gender", "unknown option --model", "--backbone?"],
  ["prune -o x --task gender", "unknown option -o", "--out?"],
  [`prune ${run} --engine tensorflow`, '--engine: "tensorflow"', "tfjs?"],
  [
    "prune --task gender --data https://a.org/x --out y",
    "/a.org/x: an address, a folder",
    "nothing is downloaded",
  ],
  ["prune --task male --data synthetic --out x", '"male"', "labels of your own: --task binary"],
  [`prune ${run} extra`, '"extra" without an option', "etl help prune"],
  ["train resnet18 --task gender", '"resnet18" without an option', "--backbone resnet18?"],
  ["bench face-resnet", '"face-resnet" without an option', "--backbone face-resnet?"],
  ["export face-resnet x.onnx", '"x.onnx" without an option', "--out x.onnx?"],
  ["evaluate runs/a ~/faces", '"~/faces" without an option', "--data ~/faces?"],
  ["doctor now", '"now" without an option'],
  // What is missing.
  ["prune", "no --task, it was needed", "for example: etl prune"],
  ["train", "no --data, --task, --backbone and --out", "etl help train"],
  ["predict", "no picture", "etl predict RUN IMAGE"],
  ["predict runs/gender", "no picture after runs/gender"],
  ["predict x.jpg runs/gender", "x.jpg is a picture, the model comes first", "etl predict RUN IMAGE"],
  ["predict x.jpg", "x.jpg alone is a picture"],
  ["evaluate", "no <model> and --data", "etl evaluate"],
  ["profile", "no <models>", "etl profile"],
  ["resume", "no <run>", "etl resume runs/gender"],
  ["resume runs/a --seed 5", "--seed 5, a run goes on with what it was begun with", "mend a copy"],
  ["resume runs/a --threads=1", "--threads 1, a run goes on with"],
  ["merge a b", "no --out", "etl merge"],
  ["align photos", "no <out>", "etl align"],
  ["verify", "no --pairs", "etl verify"],
  // What is not there.
  ["predict runs/nope x.jpg", "runs/nope: nothing is there"],
  ["evaluate runs/nope --data synthetic", "runs/nope: nothing is there"],
  ["profile runs/nope", "runs/nope: nothing is there"],
  ["export runs/nope --out x.onnx", "runs/nope: nothing is there"],
  ["report runs/nope", "runs/nope: nothing is there"],
  ["compare runs/nope", "runs/nope: nothing is there"],
  ["resume runs/nope", "runs/nope: no run.json"],
  ["merge shards/nope --out x", "shards/nope: there is no such file"],
  ["align nope out", "nope: cannot open the data"],
  ["prune --task gender --data nope --out x", "nope: cannot open the data", "check the path"],
  ["cut nope.onnx --out x.onnx --keep 0.5", "nope.onnx"],
  ["verify --pairs nope.csv", "nope.csv: cannot read"],
];

describe("calls that go wrong", function () {
  this.timeout(60_000);
  let folder: string;
  const home = process.cwd();
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "etl-calls-"));
    process.chdir(folder);
  });
  after(async () => {
    process.chdir(home);
    await rm(folder, { recursive: true, force: true });
  });

  for (const [call, message, hint] of cases) {
    it(`etl ${call}`, async () => {
      const { code, stdout, stderr } = await capture(call.split(" "));
      expect(code).to.be.oneOf([1, 2]);
      expect(stdout).to.equal(call === "--json" ? stdout : "");
      expect(stderr).to.contain(message);
      if (hint !== undefined) expect(/hint: (.*)/.exec(stderr)?.[1]).to.contain(hint);
    });
  }

  it("every command names an unknown option first, whatever else is missing", async () => {
    for (const { usage } of commands) {
      const name = usage.split(" ")[0];
      const { code, stderr } = await capture([name, "--engin", "ort"]);
      expect(code, name).to.equal(2);
      expect(stderr).to.contain(`etl ${name}: unknown option --engin`).and.contain("did you mean --engine?");
    }
  });

  it("runs in a folder, files of a run, and a run where options are meant are named", async () => {
    const at = (name: string): string => join(folder, "kept", name);
    await mkdir(at("one"), { recursive: true });
    for (const name of ["run.json", "config.json", "report.html"]) await writeFile(at(`one/${name}`), "{}");
    for (const call of ["predict kept .gitignore", "report kept", "resume kept", "profile kept"]) {
      if (call.startsWith("predict")) await writeFile(join(folder, ".gitignore"), "");
      expect((await capture(call.split(" "))).stderr, call).to.contain("name one: kept/one");
    }
    const model = await capture(["profile", "kept/one/report.html"]);
    expect(model.stderr).to.contain("a file that is no model").and.contain("the run, kept/one?");
    expect((await capture(["prune", "--config", "kept/one"])).stderr).to.contain(
      "did you mean kept/one/config.json?",
    );
    expect((await capture(["finetune", "kept/one"])).stderr).to.contain("did you mean --out kept/one?");
  });

  it("a call that fails before anything is made leaves no folder", async () => {
    await capture("prune --task Gender --data synthetic --out left".split(" "));
    await capture("prune --task gender --data nope --out left".split(" "));
    expect(existsSync(join(folder, "left"))).to.equal(false);
  });

  it("an option given twice: the last counts, and that is said; lists add up", async () => {
    const twice = await capture(`predict --backbone a --backbone runs/nope x.jpg`.split(" "));
    expect(twice.stderr).to.contain("--backbone is given 2 times: the last, runs/nope, counts");
    const list = await capture(
      "sweep --tasks gender --data nope --gammas 0.1 --gammas 0.2 --out x".split(" "),
    );
    expect(list.stderr).to.not.contain("given 2 times");
  });

  it("what lies beside the place where nothing is", async () => {
    await writeFile(join(folder, "gender.onnx"), "");
    const { stderr } = await capture(["profile", "./gendr.onnx"]);
    expect(stderr).to.contain("did you mean gender.onnx?");
  });
});

describe("help", () => {
  it("etl alone, etl help and etl help COMMAND end well and print to stdout", async () => {
    const whole = await capture([]);
    expect(whole.code).to.equal(0);
    expect(whole.stdout).to.contain("etl prune").and.contain("etl completion");
    expect(await capture(["help"])).to.deep.equal(whole);
    expect(await capture(["--help"])).to.deep.equal(whole);
    const prune = await capture(["help", "prune"]);
    expect(prune.code).to.equal(0);
    expect(prune.stdout).to.contain("--gamma");
    expect(await capture(["prune", "--help"])).to.deep.equal(prune);
    // Help is what was asked for, whatever else is wrong.
    expect(await capture(["prune", "--gama", "--help"])).to.deep.equal(prune);
  });

  it("says the default of every option that need not be given", () => {
    for (const { usage, options } of commands) {
      for (const [name, option] of Object.entries(options)) {
        if (option.demandOption === true) continue;
        const said: unknown = option.default ?? option.defaultDescription;
        expect(said, `etl ${usage} --${name}`).to.not.equal(undefined);
        if (!isSwitch(option)) expect(option.describe, name).to.not.match(/\([\d.,]+\)|\(default/);
      }
    }
  });

  it("is an object with --json, as the version is", async () => {
    for (const call of [
      ["--help"],
      ["help", "prune"],
      ["prune", "--help"],
      ["--version"],
      ["prune", "--version"],
    ]) {
      const { code, stdout } = await capture([...call, "--json"]);
      expect(code).to.equal(0);
      const { schema, ...rest } = JSON.parse(stdout) as Record<string, string>;
      expect(schema).to.match(/^etl\/(help|version)\/1$/);
      expect(Object.values(rest)[0]).to.contain(call.includes("prune") && "text" in rest ? "--gamma" : "");
    }
  });

  it("completes commands, options and choices", async () => {
    expect((await capture(["completion"])).stdout).to.contain("--get-yargs-completions");
    const words = async (...line: string[]) =>
      (await capture(["--get-yargs-completions", "etl", ...line])).stdout.split("\n");
    expect(await words("pr")).to.include("prune");
    expect(await words("prune", "--ga")).to.include("--gamma");
    expect(await words("prune", "--rmse", "")).to.include.members(["heldout", "train"]);
  });
});
