// Models to browse: what each does is behind its name; here, whether it is live, who shares it, what an answer costs.
import { Link } from 'react-router';
import { Button } from '@mantine/core';
import { Amount, State, When } from '@/components/facts';
import { PageHead } from '@/components/layout';
import { Pages, PAGE_SIZE, useFilters } from '@/components/Pages';
import { SignInFirst } from '@/components/SignInFirst';
import { Empty, Shown } from '@/components/states';
import { useModels } from '@/lib/api/models';
import type { ModelSummary } from '@/lib/api/types';
import { formatCount, formatUnits } from '@/lib/format';
import css from './explore.module.css';

export function ModelsPage() {
  return (
    <>
      <PageHead title="Models" lead="Each model runs on the chain and belongs to the people whose data made it. They vote on its releases and share what its answers earn." />
      <ModelList empty={<Empty title="No model has been founded yet" action={<Button component={Link} to="/jobs">See the jobs</Button>}>When a job is settled, any of its shareholders can found the cooperative that will own its model.</Empty>} />
    </>
  );
}

export function MyModelsPage() {
  return (
    <>
      <PageHead title="My models" lead="Models you hold shares of." />
      <SignInFirst why="Shares belong to keys: yours shows which models you own a part of.">
        {(principal) => <ModelList owner={principal} empty={<Empty title="You hold no shares yet">Shares come from data that made a model better, from building it, or from a transfer by another holder.</Empty>} />}
      </SignInFirst>
    </>
  );
}

function ModelList({ owner, empty }: { owner?: string; empty: React.ReactNode }) {
  const { page, set } = useFilters();
  const query = useModels({ page, page_size: PAGE_SIZE, ...(owner ? { owner } : {}) });
  return (
    <Shown query={query} what="models">
      {(data) =>
        data.count === 0 ? (
          empty
        ) : (
          <>
            <ul className={css.grid} aria-label="Models">
              {data.results.map((model) => (
                <li key={model.canister}>
                  <ModelCard model={model} />
                </li>
              ))}
            </ul>
            <Pages count={data.count} page={page} onPage={(next) => set('page', next)} />
          </>
        )
      }
    </Shown>
  );
}

function ModelCard({ model }: { model: ModelSummary }) {
  return (
    <article className={css.card}>
      <h2>
        <Link to={`/models/${model.canister}`}>{model.name}</Link>
      </h2>
      <div>
        <State of={model.state} />
      </div>
      <p className={css.sentence} style={{ margin: 0 }}>
        {model.live ? `Live: ${model.live.title}` : 'Its owners have not adopted a release yet.'}
      </p>
      <footer>
        <span>{formatUnits(model.holders, 'owner')}</span>
        <span>
          <Amount e8s={model.price_e8s} /> an answer
        </span>
        <span>{formatCount(model.paid_calls)} paid answers</span>
        <When ns={model.created_at_ns} />
      </footer>
    </article>
  );
}
