// How the page is built and tested. The build goes to dist/, which the marketplace serves at /.
import react from '@vitejs/plugin-react';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const marketplace = process.env.MARKETPLACE_URL ?? 'http://localhost:8080';

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  // assetsInlineLimit 0: a font or worker as a data: URL would be refused by the page's own policy.
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 600 },
  worker: { format: 'es' },
  server: { proxy: { '/api': { target: marketplace, changeOrigin: true } } },
  test: {
    restoreMocks: true,
    unstubGlobals: true,
    pool: 'threads',
    isolate: false,
    testTimeout: 15_000,
    projects: [
      // .test.ts runs in Node, where it is quick; .test.tsx has a DOM.
      { extends: true, test: { name: 'lib', environment: 'node', include: ['src/**/*.test.ts'], setupFiles: ['src/testing/setup-lib.ts'] } },
      {
        extends: true,
        test: {
          name: 'page',
          environment: 'jsdom',
          environmentOptions: { jsdom: { url: 'http://localhost/' } },
          include: ['src/**/*.test.tsx'],
          setupFiles: ['src/testing/setup-lib.ts', 'src/testing/setup-page.ts'],
        },
      },
    ],
  },
});
