import tseslint from "typescript-eslint";

const clock = { object: "Date", property: "now", message: "Use lib/core/clock.ts: one file owns the clock." };
const dice = {
  object: "Math",
  property: "random",
  message: "Use lib/core/random.ts: everything random has a seed.",
};

/** Keys come from files: a label or a tensor may be called "constructor" or "__proto__". */
const maps = [
  {
    selector:
      "VariableDeclarator[id.typeAnnotation.typeAnnotation.typeName.name='Record'] > ObjectExpression[properties.length=0]",
    message: "Fill a Map; Object.fromEntries makes an object of it in which every key is its own.",
  },
  {
    selector: "BinaryExpression[operator='in'][left.type!='Literal']",
    message: "Every object has a toString: Object.hasOwn, or own() of lib/core/own.ts.",
  },
];

export default tseslint.config(
  {
    ignores: [
      "dist/**",
      "node_modules/**",
      "coverage/**",
      "docs/**",
      "**/*.cjs",
      "fixtures/make/*.mjs",
      "eslint.config.js",
      "notebooks/**",
      "**/*.py",
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./tsconfig.json" } },
    rules: {
      "max-lines": ["error", { max: 400 }],
      "max-params": ["error", { max: 7 }],
      "no-restricted-properties": ["error", clock, dice],
      "no-restricted-syntax": ["error", ...maps],
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      // noUncheckedIndexedAccess is off, so the rule would forbid checking what an index really gave.
      "@typescript-eslint/no-unnecessary-condition": "off",
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true } }],
    },
  },
  { files: ["lib/core/clock.ts", "lib/core/random.ts"], rules: { "no-restricted-properties": "off" } },
  {
    files: ["test/**"],
    rules: {
      "max-lines": "off",
      "no-restricted-syntax": "off",
      "@typescript-eslint/no-unused-expressions": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
);
