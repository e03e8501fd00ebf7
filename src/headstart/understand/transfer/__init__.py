"""What a pretrained network passes on, stage by stage."""
