import { defineConfig, globalIgnores } from 'eslint/config';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['dist/', 'dist-sample/', 'coverage/']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true } },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      // A cycle between decorated classes is a ReferenceError when the package is loaded.
      'import-x/no-cycle': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-exports': 'error',
      // Modules and injectables may be empty: the decorator is what they carry.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Decorated parameters are there for their decorators, used or not.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [
            {
              // kafkajs is CommonJS and Node finds only these names in it; any other name passes
              // types and jest, then fails to link in plain Node. Take the rest from the default.
              name: 'kafkajs',
              allowImportNames: [
                'default',
                'AssignerProtocol',
                'CompressionTypes',
                'Kafka',
                'PartitionAssigners',
                'Partitioners',
                'logLevel',
              ],
              allowTypeImports: true,
              message: 'Node cannot link this name: use the default import of kafkajs.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['lib/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        {
          object: 'Date',
          property: 'now',
          message: 'Ask a clock: now() for durations, wallTime() for what others read.',
        },
      ],
      'no-restricted-syntax': [
        'error',
        {
          // CommonJS apps load us by require(esm), which refuses modules that await.
          selector:
            ':matches(AwaitExpression, ForOfStatement[await=true]):not(:function AwaitExpression, :function ForOfStatement)',
          message: 'No top-level await: it would make the package impossible to require().',
        },
        {
          selector: 'ExportAllDeclaration',
          message: 'List the exported names: they are the public API.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'sample-app/**/*.ts'],
    rules: {
      // Stand-ins are as asynchronous as what they stand for, and methods are looked at, not called.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
