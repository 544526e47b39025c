// One dataset: what it is, whose, what it may be used for, and what came of it.
export { DatasetPage } from './DatasetPage';
export { PolicyPage } from './PolicyPage';
