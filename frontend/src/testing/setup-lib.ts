// A store for the browser's keys, in memory.
import 'fake-indexeddb/auto';
