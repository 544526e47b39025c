// Who has agreed, by policy or by hand; and for an owner, taking an approval back while that is still possible.
import { Button, Table, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';
import { Amount, State, When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { Scroll } from '@/components/layout';
import { useReview } from '@/components/ReviewSheet';
import { DatasetName, Person } from '@/components/Thread';
import type { Approval, Job } from '@/lib/api/types';
import { indexed, signAndCall } from '@/lib/chain/load';
import { words } from '@/lib/format';
import type { JobAnswer } from '@/lib/contracts/jobs';

export function Approvals({ job, me }: { job: Job; me: string | null }) {
  return (
    <Scroll label="Approvals">
      <Table aria-label="Approvals" miw={600}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Dataset</Table.Th>
            <Table.Th>Owner</Table.Th>
            <Table.Th>Answer</Table.Th>
            <Table.Th ta="right">Price</Table.Th>
            <Table.Th>When</Table.Th>
            <Table.Th />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {job.approvals.map((approval) => (
            <Table.Tr key={approval.dataset_id}>
              <Table.Td>
                <DatasetName id={approval.dataset_id} title={approval.dataset_title} />
                <Text size="xs" c="dimmed">
                  version {approval.version}
                </Text>
              </Table.Td>
              <Table.Td>
                <Person principal={approval.owner} />
              </Table.Td>
              <Table.Td>
                <State of={approval.state} said={words(approval.state)} />
                <Text size="xs" c="dimmed">
                  {approval.by === 'policy' ? `by its policy, version ${approval.policy_version}` : approval.by === 'owner' ? 'by its owner' : ''}
                  {approval.reason && ` ${approval.reason}`}
                </Text>
              </Table.Td>
              <Table.Td ta="right">
                <Amount e8s={approval.price_e8s} />
              </Table.Td>
              <Table.Td>
                <When ns={approval.at_ns} />
              </Table.Td>
              <Table.Td ta="right">
                <Mine job={job} approval={approval} me={me} />
                <HowDoWeKnow compact proof={approval.proof} of={`the answer for ${approval.dataset_title}`} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}

const BEFORE_CLAIM: readonly Job['state'][] = ['proposed', 'approved', 'funded'];

function Mine({ job, approval, me }: { job: Job; approval: Approval; me: string | null }) {
  if (approval.owner !== me) return null;
  if (approval.state === 'pending' && job.state === 'proposed') return <Button component={Link} to="/requests" size="compact-xs">Answer</Button>;
  if (approval.state === 'approved' && BEFORE_CLAIM.includes(job.state)) return <TakeBack job={job} approval={approval} />;
  return null;
}

function TakeBack({ job, approval }: { job: Job; approval: Approval }) {
  const review = useReview();
  const queries = useQueryClient();
  const takeBack = () =>
    review({
      title: `Take back the approval for "${job.title}"`,
      button: 'Take back the approval',
      loss: true,
      changes: ['The job cannot start any more; what its builder has paid into escrow is theirs again.'],
      seenBy: 'Everybody: it is recorded on the chain.',
      cost: 'Nothing; you are not paid for this job.',
      undo: 'It cannot be taken back for this job. The builder can propose another.',
      steps: [
        {
          name: 'Take it back on the chain',
          signed: true,
          run: async ({ stage }) => {
            const args = [{ job_id: BigInt(job.id), dataset_id: BigInt(approval.dataset_id), reason: 'taken back by the owner' }];
            await signAndCall<JobAnswer>(queries, (chain) => ({ canister: 'jobs', contract: chain.jobs, method: 'job_revoke', args }), stage);
            await indexed(queries, 'jobs');
          },
        },
      ],
    });
  return (
    <Button variant="subtle" color="red" size="compact-xs" onClick={() => void takeBack()}>
      Take back
    </Button>
  );
}
