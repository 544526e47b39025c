// Lint rules. The layers: app -> features -> components -> lib; no feature imports another.
import js from '@eslint/js';
import jsxA11y from 'eslint-plugin-jsx-a11y';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/** What files of one layer must not import. Across layers imports go by `@/`, within a feature by `./`. */
function boundary(files, layers, why, upward = '\\.\\./\\.\\./') {
  return {
    files,
    ignores: ['**/*.test.ts', '**/*.test.tsx'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex: `^(@/(${layers.join('|')})(/|$)|${upward})`, message: why }] }],
    },
  };
}

export default tseslint.config(
  { ignores: ['dist', 'node_modules'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  jsxA11y.flatConfigs.recommended,
  reactHooks.configs.flat.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  boundary(['src/lib/**'], ['app', 'features', 'components'], 'lib stands at the bottom: it imports nothing from above.'),
  boundary(['src/components/**'], ['app', 'features'], 'A component takes data and callbacks: it knows no feature.'),
  boundary(['src/features/**'], ['app', 'features'], 'No feature imports another, nor the app: a route composes them.', '\\.\\./'),
);
