"""Nearest neighbors: votes of the most similar training images."""

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from headstart.models.probes.nearest_neighbors import NeighborHead


@pytest.fixture
def clusters():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    centers = torch.randn(3, 8, generator=generator)
    return centers[labels] + 0.8 * torch.randn(60, 8, generator=generator), labels


class TestNeighborHead:
    def test_predicts_as_scikit_learn_does(self, clusters):
        features, labels = clusters
        head = NeighborHead(8, 3)
        head.fit(features[:45], labels[:45])
        k = int(head.num_neighbors)
        expected = KNeighborsClassifier(k, metric="cosine").fit(features[:45], labels[:45]).predict_proba(features[45:])
        votes = (head(features[45:]).exp() * (k + 1) - 1 / 3) / k
        assert torch.allclose(votes, torch.from_numpy(expected).float(), atol=1e-5)

    def test_probabilities_add_up_to_one(self, clusters):
        head = NeighborHead(8, 3)
        head.fit(*clusters)
        assert torch.allclose(head(clusters[0]).exp().sum(dim=1), torch.ones(60), atol=1e-5)

    def test_chooses_many_neighbors_where_labels_are_noise(self, clusters):
        features, labels = clusters
        head = NeighborHead(8, 3)
        head.fit(features, labels[torch.randperm(60, generator=torch.Generator().manual_seed(0))])
        assert int(head.num_neighbors) >= 10

    def test_one_image(self):
        head = NeighborHead(2, 3)
        head.fit(torch.ones(1, 2), torch.tensor([2]))
        assert head(torch.ones(1, 2)).argmax().item() == 2

    def test_gives_equal_scores_before_the_fit(self):
        assert torch.equal(NeighborHead(2, 3)(torch.ones(4, 2)), torch.zeros(4, 3))
