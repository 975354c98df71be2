import tseslint from "typescript-eslint";

const clock = { object: "Date", property: "now", message: "Use lib/core/clock.ts: one file owns the clock." };
const dice = {
  object: "Math",
  property: "random",
  message: "Use lib/core/random.ts: everything random has a seed.",
};

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
      "@typescript-eslint/no-unused-expressions": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
);
