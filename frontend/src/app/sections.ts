// What is where: five sections, each with its pages.

export interface SectionLink {
  to: string;
  name: string;
  count?: 'requests' | 'votes';
}

export interface NavSection {
  name: string;
  pages: SectionLink[];
  /** Paths that belong to the section although no link leads there. */
  owns: RegExp;
}

export const SECTIONS: readonly NavSection[] = [
  {
    name: 'Explore',
    owns: /^\/$|^\/(datasets|models|jobs|activity)(\/|$)/,
    pages: [
      { to: '/datasets', name: 'Datasets' },
      { to: '/models', name: 'Models' },
      { to: '/jobs', name: 'Jobs' },
      { to: '/activity', name: 'Activity' },
    ],
  },
  {
    name: 'My data',
    owns: /^\/(my\/datasets|datasets\/new|requests)/,
    pages: [
      { to: '/my/datasets', name: 'My datasets' },
      { to: '/datasets/new', name: 'Register a dataset' },
      { to: '/requests', name: 'Requests', count: 'requests' },
    ],
  },
  {
    name: 'Build',
    owns: /^\/(jobs\/new|my\/jobs|tokens)/,
    pages: [
      { to: '/jobs/new', name: 'Compose a job' },
      { to: '/my/jobs', name: 'My jobs' },
      { to: '/tokens', name: 'API tokens' },
    ],
  },
  {
    name: 'Govern',
    owns: /^\/(votes|my\/models)/,
    pages: [
      { to: '/votes', name: 'Votes', count: 'votes' },
      { to: '/my/models', name: 'My models' },
    ],
  },
  { name: 'Earnings', owns: /^\/earnings/, pages: [{ to: '/earnings', name: 'Earnings' }] },
];

/** The section of a path: the one whose own pages fit best, so that /datasets/new is My data and /datasets/7 is Explore. */
export function sectionOf(path: string): NavSection {
  const fits = SECTIONS.filter((section) => section.owns.test(path));
  return fits[fits.length - 1] ?? (SECTIONS[0] as NavSection);
}
