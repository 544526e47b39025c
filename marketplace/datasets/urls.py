"""Addresses of datasets, blobs and uploads, below /api/market/."""

from django.urls import path

from . import api

urlpatterns = [
    path("datasets", api.DatasetsApi.as_view()),
    path("datasets/<id:dataset_id>", api.DatasetApi.as_view()),
    path("datasets/<id:dataset_id>/keys", api.KeysApi.as_view()),
    path("datasets/<id:dataset_id>/versions/<id:version>/keys/<str:worker>", api.KeyApi.as_view()),
    path("blobs", api.BlobsApi.as_view()),
    path("blobs/<str:sha256>", api.BlobApi.as_view()),
    path("uploads", api.UploadsApi.as_view()),
    path("uploads/<str:manifest_hash>", api.UploadApi.as_view()),
    path("uploads/<str:manifest_hash>/chunks/<id:index>", api.ChunkApi.as_view()),
]
