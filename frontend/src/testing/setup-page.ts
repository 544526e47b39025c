// What every component test stands on: matchers, a DOM that is emptied between tests, and what jsdom lacks.
import '@testing-library/jest-dom/vitest';
import { cleanup } from '@testing-library/react';
import { afterEach, vi } from 'vitest';

afterEach(cleanup);

Object.defineProperty(window, 'matchMedia', {
  writable: true,
  value: (query: string) => ({
    matches: false,
    media: query,
    onchange: null,
    addEventListener: vi.fn(),
    removeEventListener: vi.fn(),
    addListener: vi.fn(),
    removeListener: vi.fn(),
    dispatchEvent: vi.fn(),
  }),
});

Object.defineProperty(document, 'fonts', { configurable: true, value: new EventTarget() });

class ObservesNothing {
  observe() {}
  unobserve() {}
  disconnect() {}
}
window.ResizeObserver = ObservesNothing;
window.HTMLElement.prototype.scrollIntoView = () => undefined;
