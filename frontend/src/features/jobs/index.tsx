// Training jobs: one job from proposal to settlement, and composing a new one.
export { JobPage } from './JobPage';
export { ComposePage } from './ComposePage';
