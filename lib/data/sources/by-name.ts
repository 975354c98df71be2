/** Public sets whose labels stand in the names of the pictures: a pattern each, and what its groups mean. */
import type { Crop } from "../../core/artifacts.ts";
import type { RawTable } from "../dataset.ts";
import type { Folder, SourceLayout } from "./layout.ts";

interface Named {
  readonly name: string;
  /** How pictures are called, for messages: "age_gender_race_date". */
  readonly form: string;
  /** An example, or the same in words. */
  readonly looks: string;
  /** Of the path below the data folder; named groups are labels, and `person`. */
  readonly pattern: RegExp;
  readonly columns: readonly string[];
  readonly tasks?: RawTable["tasks"];
  /** What the codes in the names mean, by column. */
  readonly codes?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly crop?: Crop;
  readonly says: string;
}

const AGE = { age: { column: "age", unit: "years" } };
const SEX = { gender: { F: "female", M: "male" } };

const SETS: readonly Named[] = [
  {
    name: "UTKFace",
    form: "age_gender_race_date",
    looks: "age_gender_race_date.jpg",
    pattern: /(^|\/)(?<age>\d{1,3})_(?<gender>[01])_\d_\d+\.(jpg|jpeg|png)(\.chip\.jpg)?$/i,
    columns: ["gender", "age"],
    crop: [0, 0, 1, 1],
    tasks: { gender: { column: "gender", values: { "0": "male", "1": "female" } }, ...AGE },
    says: "race is not read",
  },
  {
    name: "AgeDB",
    form: "id_name_age_gender",
    looks: "id_name_age_gender.jpg",
    pattern: /(^|\/)\d+_(?<person>[^/]+)_(?<age>\d{1,3})_(?<gender>[fm])\.(jpg|jpeg|png)$/i,
    columns: ["gender", "age"],
    codes: { gender: { F: "f", M: "m" } },
    tasks: { gender: { column: "gender", values: { f: "female", m: "male" } }, ...AGE },
    says: "the name is the identity",
  },
  {
    name: "MORPH",
    form: "person_number, sex and age",
    looks: "009055_1M54.JPG",
    pattern: /(^|\/)(?<person>\d{5,6})_\d{1,2}(?<gender>[MF])(?<age>\d{2,3})\.jpe?g$/i,
    columns: ["gender", "age"],
    codes: SEX,
    tasks: AGE,
    says: "race is not read",
  },
  {
    name: "FG-NET",
    form: "person, A, age",
    looks: "001A02.JPG",
    pattern: /(^|\/)(?<person>\d{3})A(?<age>\d{2})[a-z]?\.jpe?g$/i,
    columns: ["age"],
    tasks: AGE,
    says: "82 persons",
  },
  {
    name: "CACD",
    form: "age_name_number",
    looks: "14_Aaron_Johnson_0001.jpg",
    pattern: /(^|\/)(?<age>\d{1,3})_(?<person>[^/]*\p{L}[^/]*)_\d{4}\.jpe?g$/u,
    columns: ["age"],
    tasks: AGE,
    says: "ages are years of photographs less years of birth, and some are wrong, as their makers say",
  },
  {
    name: "AFAD",
    form: "age/111 or 112/picture",
    looks: "age/111/1-0.jpg (men) and age/112/1-0.jpg (women)",
    pattern: /(^|\/)(?<age>\d{2})\/(?<gender>11[12])\/[^/]+\.jpe?g$/i,
    columns: ["gender", "age"],
    codes: { gender: { "111": "male", "112": "female" } },
    tasks: AGE,
    says: "111 are men, 112 women",
  },
  {
    name: "JAFFE",
    form: "person.emotion.number",
    looks: "KA.AN1.39.tiff",
    pattern: /(^|\/)(?<person>[A-Z]{2})\.(?<emotion>AN|DI|FE|HA|NE|SA|SU)\d\.\d+\.\w+$/i,
    columns: ["emotion"],
    codes: {
      emotion: {
        ...{ AN: "anger", DI: "disgust", FE: "fear", HA: "happiness" },
        ...{ NE: "neutral", SA: "sadness", SU: "surprise" },
      },
    },
    says: "ten women",
  },
  {
    name: "RaFD",
    form: "Rafd, angle, person, sex, emotion",
    looks: "Rafd090_01_Caucasian_female_angry_frontal.jpg",
    pattern:
      /(^|\/)Rafd\d{3}_(?<person>\d+)_\w+_(?<gender>female|male)_(?<emotion>[a-z]+)_(left|right|frontal)\.\w+$/i,
    columns: ["emotion", "gender"],
    says: "the angle of the camera is not read",
  },
  {
    name: "FACES (Max Planck)",
    form: "person_age_sex_emotion_set",
    looks: "004_o_m_a_a.jpg",
    pattern: /(^|\/)(?<person>\d{3})_(?<age_group>[ymo])_(?<gender>[fm])_(?<emotion>[adfhns])_[ab]\.jpe?g$/i,
    columns: ["emotion", "gender", "age_group"],
    codes: {
      ...SEX,
      age_group: { Y: "young", M: "middle", O: "old" },
      emotion: { A: "anger", D: "disgust", F: "fear", H: "happiness", N: "neutral", S: "sadness" },
    },
    says: "young, middle and old are the groups of years",
  },
  {
    // Session A or B, F or M, number of the person, emotion, angle.
    name: "KDEF",
    form: "person, emotion and angle",
    looks: "AF01ANFL.JPG",
    pattern:
      /(^|\/)[AB](?<person>(?<gender>[FM])\d{2})(?<emotion>AF|AN|DI|HA|NE|SA|SU)(?<yaw>FL|HL|S|HR|FR)\.\w+$/i,
    columns: ["emotion", "gender", "yaw"],
    codes: {
      ...SEX,
      emotion: {
        ...{ AF: "fear", AN: "anger", DI: "disgust", HA: "happiness" },
        ...{ NE: "neutral", SA: "sadness", SU: "surprise" },
      },
      yaw: { FL: "-90", HL: "-45", S: "0", HR: "45", FR: "90" },
    },
    tasks: { "head-pose": { column: "yaw", unit: "degrees", mirror: "negate" } },
    says: "both sessions show the same persons; yaw is negative where the left profile is seen",
  },
];

function layoutOf(set: Named): SourceLayout {
  const { name, form, looks, pattern, columns, tasks = {}, codes = {}, crop, says } = set;
  const groups = (file: string): Readonly<Record<string, string>> | undefined => pattern.exec(file)?.groups;
  const label = (column: string, text: string): string => codes[column]?.[text.toUpperCase()] ?? text;
  return {
    name,
    looks: `pictures named ${looks}`,
    detect: ({ pictures }) => {
      const hits = pictures.filter((file) => pattern.test(file)).length;
      return hits > 0 && hits * 2 > pictures.length;
    },
    read: ({ root, pictures }: Folder) => {
      const found = pictures.map(groups);
      return Promise.resolve({
        name,
        root,
        layout: name,
        columns,
        rows: pictures.flatMap((file, i) => {
          const own = found[i];
          if (own === undefined) return [];
          const { person } = own;
          const labels = columns.map((column) => label(column, own[column]));
          return [{ file, labels, ...(person && { identity: person }) }];
        }),
        ...(crop && { crop }),
        // Labels that stand in the names of folders leave plain numbers to the pictures.
        ...(name !== "AFAD" && { namesOnce: true as const }),
        tasks,
        assumptions: [`labels: from the names of the pictures (${form}); ${says}`],
        problems: pictures.flatMap((file, i) =>
          found[i] === undefined ? [{ file, problem: `name without ${form}` }] : [],
        ),
      });
    },
  };
}

export const namedLayouts: readonly SourceLayout[] = SETS.map(layoutOf);
